//! weighhouse-proto
