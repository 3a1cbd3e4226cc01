//! (room: scram)
