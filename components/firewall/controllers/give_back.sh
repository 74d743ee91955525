# Gives back the programs that were taken over: what comes after ruleset/back.sh where there are such.
# uses: components/firewall/controllers/take_over.sh

give_back
