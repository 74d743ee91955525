# Records who looks after a resource.
# uses: hosts/guard/owned.sh

record_claim
