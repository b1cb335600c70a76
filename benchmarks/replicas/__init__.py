"""Several services on one PostgreSQL: throughput, and what their agreement costs."""
