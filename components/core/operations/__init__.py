"""What a resource's create, read, update, delete and import do: the shells of the provider call these."""
