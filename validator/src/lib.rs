//! weighhouse-validator
