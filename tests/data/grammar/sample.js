// Queues, for the grammar.
import fs, { readFile as read } from "node:fs";
export * from './other.js'

const limit = 1_000n, pattern = /[/\]]+\/(?<name>x)$/gi
let total = 0
label: for (let i = 0; i < 10; i++) {
  if (i % 2) continue label
  total += i ** 2
}

/** A queue. */
export default class Queue extends Array {
  static #count = 0
  #items = []
  get size() { return this.#items.length }
  async *drain(max = Infinity, ...rest) {
    while (this.size > 0 && max-- > 0) {
      const item = this.#items.shift()
      yield await item?.run?.(...rest) ?? null
    }
  }
  static of(...items) {
    const queue = new Queue()
    for (const item of items) queue.push(item)
    return queue
  }
}

const render = ({ name, age = 3, ...others }) => `
  Hello ${name.toUpperCase()}, ${age > 18 ? `adult ${age}` : "minor"}
`
function legacy(a, b) {
  var self = this
  switch (typeof a) {
    case "string":
    case 'number':
      return a + b
    default:
      throw new TypeError("bad " + a)
  }
}
try {
  legacy(1, 2)
} catch {
  debugger
} finally {
  total = total >>> 1 | 0xff & ~1
}
const table = {
  "quoted key": 1, [`computed${total}`]: 2, method() { return super.method() }, total,
  async get() {}, set value(v) { delete this.v },
}
do { total-- } while (total > 0 || !limit)
if (a) b(); else if (c) d()
else { e = f instanceof Queue ? void 0 : a in table }
(async () => { for await (const x of new Queue().drain()) console.log(x) })()
