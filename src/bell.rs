//! A bell that several tasks wait for.
//!
//! Job: wake everybody who listens, in the order in which they began to. One `watch` with many receivers wakes them in an
//! order that it draws at random, which no seed repeats; here each listener has a channel of its own. Invariant: a ring is
//! heard by everybody who listened before it, however late they look. Neighbours: stores ring at what may have become due,
//! lanes at a change of their circuit. What it does not do: carry a value.

use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

/// Rings for every listener, first come first woken.
#[derive(Debug, Default)]
pub struct Bell(Mutex<Vec<watch::Sender<u64>>>);

impl Bell {
    /// From now on hears every ring; the number says nothing.
    #[must_use]
    pub fn listen(&self) -> watch::Receiver<u64> {
        let (ear, heard) = watch::channel(0);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(ear);
        heard
    }

    /// Wakes whoever listens; who listens no more is forgotten.
    pub fn ring(&self) {
        let mut ears = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ears.retain(|ear| !ear.is_closed());
        for ear in ears.iter() {
            ear.send_modify(|count| *count = count.wrapping_add(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_hears_and_who_went_is_forgotten() {
        let bell = Bell::default();
        bell.ring();
        let (mut first, second) = (bell.listen(), bell.listen());
        assert!(!first.has_changed().unwrap(), "what rang before is not heard");
        bell.ring();
        bell.ring();
        assert!(first.has_changed().unwrap() && second.has_changed().unwrap());
        first.mark_unchanged();
        drop(second);
        bell.ring();
        assert!(first.has_changed().unwrap());
        assert_eq!(bell.0.lock().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn who_listened_first_is_woken_first() {
        let (bell, order) = (Bell::default(), std::sync::Arc::new(Mutex::new(Vec::new())));
        let tasks: Vec<_> = (0..20)
            .map(|number| {
                let (mut heard, order) = (bell.listen(), std::sync::Arc::clone(&order));
                tokio::spawn(async move {
                    heard.changed().await.unwrap();
                    order.lock().unwrap().push(number);
                })
            })
            .collect();
        tokio::task::yield_now().await;
        bell.ring();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), (0..20).collect::<Vec<_>>());
    }
}
