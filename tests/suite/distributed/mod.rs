//! One database over many machines. These tests run where TEST_CITUS_URL names the coordinator of a Citus cluster and a
//! superuser who may make databases there and on its workers; elsewhere they say that they did not.

mod audit;
mod cluster;
mod documents;
mod later;
mod refusals;
mod there_and_back;
