# Restores the programs that were taken over: appended to ruleset/back.sh if there are any.
# uses: components/firewall/controllers/take_over.sh

give_back
