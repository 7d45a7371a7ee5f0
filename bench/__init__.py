"""How fast Overbookr is, beside what the machine, PostgreSQL and the server stack can do: ratios of one run."""
