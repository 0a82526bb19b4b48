"""Speech Embedding Network (paper §2.2): a space shared by speech and pictures."""
