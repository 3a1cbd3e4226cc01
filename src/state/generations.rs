//! Which of the successive CAs are in use, according to the inventory.

use super::{Event, Rotation};

/// The generation at the end of a CA's CN; 1 if there is none.
pub(super) fn generation(subject: &str) -> u32 {
    let after = subject.split(" G").skip(1).filter_map(|rest| {
        let end = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (digits, rest) = rest.split_at(end);
        let ends = rest.is_empty() || rest.starts_with(',') || rest.starts_with(" Intermediate");
        digits.parse().ok().filter(|_| ends)
    });
    after.last().unwrap_or(1)
}

/// The trusted generations: one, or two during a rotation. `None`: there was never a rotation.
pub(super) fn in_use(events: &[Event]) -> Option<(u32, Option<u32>)> {
    let mut steps = events.iter().rev().filter_map(|event| match event {
        Event::Rotation(step) => Some(step),
        _ => None,
    });
    let last = steps.next()?;
    if last.state == Rotation::OVER {
        return Some((last.generation, None));
    }
    let before = steps.find(|step| step.state == Rotation::OVER);
    Some((
        last.generation,
        Some(before.map_or(1, |step| step.generation)),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::RotationStep;

    #[test]
    fn a_generation_stands_behind_the_name() {
        assert_eq!(generation("CN=Kafka CA G12,O=G Works G1 Ltd"), 12);
        assert_eq!(generation("O=x,CN=Kafka CA G2 Intermediate"), 2);
        assert_eq!(generation("CN=Company CA"), 1);
        assert_eq!(generation("CN=CA G3 G1"), 1);
    }

    #[test]
    fn what_was_given_up_or_is_over_is_in_use_no_longer() {
        let steps = [
            ("trusting", 2),
            ("none", 1),
            ("trusting", 3),
            ("retiring", 3),
            ("none", 3),
        ];
        let events: Vec<Event> = steps
            .iter()
            .map(|(state, generation)| {
                Event::Rotation(RotationStep {
                    at: time::OffsetDateTime::UNIX_EPOCH,
                    state: (*state).to_owned(),
                    generation: *generation,
                })
            })
            .collect();
        let after = |n: usize| in_use(&events[..n]);
        assert_eq!(after(0), None);
        assert_eq!(after(1), Some((2, Some(1))));
        assert_eq!(after(2), Some((1, None)));
        assert_eq!(after(4), Some((3, Some(1))));
        assert_eq!(after(5), Some((3, None)));
    }
}
