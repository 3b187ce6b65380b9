"""What the rules are worth, measured on recorded traffic of exchanges."""
