"""What is wrong with what clients did and saw, and with what nodes hold: one property a file."""
