//! (room: keystore)
