mod export;
mod sample;
mod schema;
