"""What hosts have, what they refuse, and in which words."""
