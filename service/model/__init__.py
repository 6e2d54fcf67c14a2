"""What a notification is and what can become of it: the words and rows of the ledger."""
