//! Connecting where somebody may be watching.

use std::io::{self, IsTerminal};

use super::ui::Ui;
use crate::{
    admin::{Admin, AdminError, ClientProperties},
    printable::Printable,
};

/// Connects and logs in. Whoever looks at a terminal learns after a second what is waited for.
///
/// # Errors
/// Why there is no connection.
pub fn connect(ui: &Ui, properties: &ClientProperties) -> Result<Admin, AdminError> {
    let watched = io::stderr().is_terminal() && !ui.quiet && !ui.json;
    Admin::connect_telling(properties, &mut |servers| {
        if watched {
            ui.note(format!("waiting for {} …", Printable(servers)));
        }
    })
}
