"""PostgreSQL: the sessions, the functions of sql/, the schema and its migrations."""
