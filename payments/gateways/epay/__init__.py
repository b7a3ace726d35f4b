"""易支付 (epay): the protocol of many aggregating gateways, version 1 signed with MD5 and version 2 with RSA."""
