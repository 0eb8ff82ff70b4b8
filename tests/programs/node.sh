#!/bin/bash
# SPDX-License-Identifier: MIT
# node with worker threads, a heap of objects, and buffers, which come from malloc.
. "$(dirname "$0")/lib.sh"
need node
cat >"$work/program.js" <<'JS'
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const crypto = require('crypto');
const [objects, megabytes] = process.argv.slice(2).map(Number);

// Objects, strings and buffers, gone through in two orders; the digest depends on all of them.
function work(seed) {
  const map = new Map(), hash = crypto.createHash('sha256');
  for (let i = 0; i < objects; i++)
    map.set('key' + i * 7919 % 1000003, { i, text: 'value ' + i * seed, list: [i, i + 1, i + 2] });
  const buffers = [];
  for (let m = 0; m < megabytes; m++) {
    const b = Buffer.alloc(1 << 20);
    for (let k = 0; k < b.length; k += 64) b.writeUInt32LE((k * seed + m) >>> 0, k);
    buffers.push(b);
  }
  for (const [k, v] of map) hash.update(k + v.text + v.list[2]);
  for (let m = 0; m < megabytes; m++) hash.update(buffers[m * 7 % megabytes]);
  return hash.digest('hex');
}

if (isMainThread) {
  const jobs = [1, 2].map(n => new Promise((resolve, reject) => {
    const w = new Worker(__filename, { workerData: n, argv: process.argv.slice(2) });
    w.on('message', resolve);
    w.on('error', reject);
  }));
  Promise.all(jobs).then(r => console.log(r.join('\n') + '\n' + work(3)));
} else {
  parentPort.postMessage(work(workerData));
}
JS
same_at_quarter node --max-old-space-size=2000 "$work/program.js" "$(pick 60000 400000 3000)" "$(pick 73 307 13)"
finish
