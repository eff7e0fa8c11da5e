//! The wire contracts: `.proto` files, the code generated from them, and the conversions into domain types.
//!
//! Generated messages stop at the `TryFrom` beside them: nothing behind a handler's first line sees one, and no
//! message that contradicts itself becomes a domain value. The contracts lie in `proto/`, the generated code in
//! `src/gen/` (`cargo xtask generate`); building needs no `protoc`.

pub mod bounded;
pub mod frame;
pub mod method;

mod chain;
mod contents;
mod describe;
mod infer;
mod judge;
mod receipts;
mod verdicts;
mod witness;

/// Descriptors of all contracts, for reflection. `cargo xtask generate` makes them.
pub const DESCRIPTORS: &[u8] = include_bytes!("contracts.binpb");

#[doc(hidden)]
pub mod testing;

pub use bounded::{ReadError, decode};
pub use chain::{ChainMessageError, bytes32, narrow};
pub use describe::{Description, DescriptionError, ModelDescription, ModelKind, ServingLimits};
pub use judge::JudgeMessageError;
pub use receipts::{ACKNOWLEDGEMENTS_MAX, AcknowledgementError};
pub use verdicts::{StatementError, decode_statement, encode_statement, statement_digest};
pub use witness::{CONSISTENCY_NODES_MAX, CertifiedKeyError, CosignAsked};

/// The Open Inference Protocol, version 2: what Triton's and KServe's clients speak.
pub mod inference {
    #![allow(
        missing_debug_implementations,
        rust_2018_idioms,
        unreachable_pub,
        clippy::all,
        clippy::unwrap_used
    )]
    include!("gen/inference.rs");
}

mod weighhouse {
    pub mod v1 {
        #![allow(
            missing_debug_implementations,
            rust_2018_idioms,
            unreachable_pub,
            clippy::all,
            clippy::unwrap_used
        )]
        include!("gen/weighhouse.v1.rs");
    }
}
/// This project's own services.
pub use weighhouse::v1;
