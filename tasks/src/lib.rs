//! weighhouse-tasks
