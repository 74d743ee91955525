# Records who manages a resource.
# uses: hosts/guard/owned.sh

record_claim
