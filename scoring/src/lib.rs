//! weighhouse-scoring
