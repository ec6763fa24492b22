//! Bytes of a file, in shared chunks: an image of a disk costs pointers, not bytes.

use std::sync::Arc;

const CHUNK: usize = 4096;

/// What stands in a file. Cloning shares; writing copies the chunks it touches.
#[derive(Debug, Clone, Default)]
pub struct Content {
    /// Behind `len` the last chunk is zero.
    chunks: Vec<Arc<[u8; CHUNK]>>,
    len: usize,
}

impl Content {
    /// Bytes in it.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Copies from `at` on into `out`; how many bytes there were.
    pub fn read(&self, at: usize, out: &mut [u8]) -> usize {
        let end = self.len.min(at.saturating_add(out.len()));
        let mut place = at;
        while place < end {
            let (chunk, inside) = (place / CHUNK, place % CHUNK);
            let size = (CHUNK - inside).min(end - place);
            out[place - at..place - at + size].copy_from_slice(&self.chunks[chunk][inside..inside + size]);
            place += size;
        }
        end.saturating_sub(at)
    }

    /// Writes `data` at `at`; a gap before it becomes zero.
    pub fn write(&mut self, at: usize, data: &[u8]) {
        let end = at + data.len();
        if end > self.len {
            self.resize(end);
        }
        let mut place = at;
        while place < end {
            let (chunk, inside) = (place / CHUNK, place % CHUNK);
            let size = (CHUNK - inside).min(end - place);
            let target = Arc::make_mut(&mut self.chunks[chunk]);
            target[inside..inside + size].copy_from_slice(&data[place - at..place - at + size]);
            place += size;
        }
    }

    /// Cuts it or fills it up with zeros.
    pub fn resize(&mut self, len: usize) {
        if len < self.len && !len.is_multiple_of(CHUNK) {
            Arc::make_mut(&mut self.chunks[len / CHUNK])[len % CHUNK..].fill(0);
        }
        self.chunks.resize_with(len.div_ceil(CHUNK), || Arc::new([0; CHUNK]));
        self.len = len;
    }

    /// All of it.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut out = vec![0; self.len];
        self.read(0, &mut out);
        out
    }
}
