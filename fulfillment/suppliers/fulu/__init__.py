"""福禄开放平台 (Fulu): direct charge, phone credit and cards; always asynchronous."""
