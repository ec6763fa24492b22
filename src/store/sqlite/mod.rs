//! The embedded store: SQLite in WAL mode, `synchronous=FULL`, one writer thread with group commit.
