//! The SQLSTATEs that this program tells apart, under PostgreSQL's own names.

pub(crate) const DEADLOCK_DETECTED: &str = "40P01";
pub(crate) const DIVISION_BY_ZERO: &str = "22012";
pub(crate) const INSUFFICIENT_PRIVILEGE: &str = "42501";
pub(crate) const INVALID_SCHEMA_NAME: &str = "3F000";
pub(crate) const LOCK_NOT_AVAILABLE: &str = "55P03";
pub(crate) const SERIALIZATION_FAILURE: &str = "40001";
pub(crate) const SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION: &str = "42";
pub(crate) const TRANSACTION_TIMEOUT: &str = "25P04";
pub(crate) const UNDEFINED_COLUMN: &str = "42703";
pub(crate) const UNDEFINED_TABLE: &str = "42P01";
pub(crate) const WRONG_OBJECT_TYPE: &str = "42809";
