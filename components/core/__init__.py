"""What all chapters share: the life of a resource, its transaction, its state and its owner."""
