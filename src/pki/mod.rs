//! (room: pki)
