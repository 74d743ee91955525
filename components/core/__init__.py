"""What all chapters share: resource lifecycle, transactions, state and ownership."""
