# What listens; a section `tool` alone where the host has neither ss nor netstat.
#
# uses: components/listeners/tool.sh hosts/system/listeners.sh
