"""The pages of a shop's owner that need every stage: how today goes, and what there is to do."""
