"""Django's PostgreSQL backend with a cheaper look at connections that have lain idle; Django wants it as a package."""
