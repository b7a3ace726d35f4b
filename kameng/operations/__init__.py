"""The operators' own pages: what spans all shops, and what spans all stages."""
