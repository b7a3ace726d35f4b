"""异次元发卡 (acg-faka) 3, the shared shop that sells to other shops: codes, paid from a balance, answered at once."""
