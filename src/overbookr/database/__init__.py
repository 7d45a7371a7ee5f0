"""The database room: connections, named SQL, migrations, and the embedded PostgreSQL. It knows no other room."""
