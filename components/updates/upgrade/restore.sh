# Removes the record of the last upgrade. Packages stay as they are.
#
# takes: record

rm -f "$record"
