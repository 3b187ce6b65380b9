"""What the platform publishes so that anybody can judge it: rules, reports, incidents; readable without a log-in."""
