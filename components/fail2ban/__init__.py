"""The chapter on Fail2Ban."""
