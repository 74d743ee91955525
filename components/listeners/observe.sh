# Prints what listens; only a section `tool` if the host has neither ss nor netstat.
#
# uses: components/listeners/tool.sh hosts/system/listeners.sh
