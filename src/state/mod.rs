//! (room: state)
