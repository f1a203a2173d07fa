//! Subcommands, one file each.
pub(crate) mod bench;
