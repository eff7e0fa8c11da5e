//! weighhouse-journal
