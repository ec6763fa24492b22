// The same answers opened by what a SIM in node uses: Buffer, OpenSSL, lz-string, JSON.parse. Told by benches/codec.rs: the
// folder with `<size>.wire` and `<size>.lz`, the key and the iv in hexadecimal, and how long to take for each in ms.
const fs = require('fs'), crypto = require('crypto'), path = require('path');
const LZ = require('lz-string');
const [folder, key, iv, length] = process.argv.slice(2);
const median = work => {
  const took = [], until = process.hrtime.bigint() + BigInt(length) * 1000000n;
  for (let n = 0; n < 3; n++) work();
  while (took.length < 5 || process.hrtime.bigint() < until) {
    const began = process.hrtime.bigint();
    work();
    took.push(Number(process.hrtime.bigint() - began));
  }
  return took.sort((a, b) => a - b)[took.length >> 1];
};
for (const size of fs.readdirSync(folder).filter(name => name.endsWith('.wire')).map(name => name.slice(0, -5))) {
  const wire = fs.readFileSync(path.join(folder, size + '.wire'), 'latin1');
  const packed = fs.readFileSync(path.join(folder, size + '.lz'), 'latin1');
  const open = () => {
    const cipher = crypto.createDecipheriv('aes-256-cbc', Buffer.from(key, 'hex'), Buffer.from(iv, 'hex'));
    const text = cipher.update(Buffer.from(wire, 'base64'), undefined, 'latin1') + cipher.final('latin1');
    return JSON.parse(LZ.decompressFromEncodedURIComponent(text));
  };
  const lz = () => LZ.decompressFromEncodedURIComponent(packed);
  console.log(`${size} ${median(open)} ${median(lz)}`);
}
