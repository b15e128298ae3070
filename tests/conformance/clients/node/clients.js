// What kafkajs sees of a broker. Reads a line of JSON an order, {"scenario", "bootstrap", "name", ...}, and writes one:
// what the scenario found, or {"failed": its stack}. It asserts nothing; who asked does. Names of topics, groups and
// transactions begin with "name", so that no order meets another's.
"use strict";

const readline = require("node:readline");
const { CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka, Partitioners, logLevel } = require("kafkajs");
const lz4 = require("lz4-napi");
const snappy = require("snappyjs");
const { ZstdCodec } = require("zstd-codec");

const SECONDS = 20;
const START_MS = 1_700_000_000_000;
const CODECS = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
};

const codec = (compress, decompress) => () => ({
  compress: async (encoder) => Buffer.from(compress(encoder.buffer)),
  decompress: async (buffer) => Buffer.from(decompress(buffer)),
});

function addCodecs(zstd) {
  const simple = new zstd.Simple();
  CompressionCodecs[CompressionTypes.Snappy] = codec(snappy.compress, snappy.uncompress);
  CompressionCodecs[CompressionTypes.LZ4] = codec(lz4.compressFrameSync, lz4.decompressFrameSync);
  CompressionCodecs[CompressionTypes.ZSTD] = codec((b) => simple.compress(b), (b) => simple.decompress(b));
}

// One order's clients: connected when they are made, and closed when it is done.
class Session {
  constructor(order) {
    this.order = order;
    this.kafka = new Kafka({ brokers: order.bootstrap.split(","), logLevel: logLevel.NOTHING, retry: { initialRetryTime: 50, retries: 6 } });
    this.topic = this.name("topic");
    this.group = this.name("group");
    this.open = [];
  }

  name(what) {
    return `${this.order.name}-${what}`;
  }

  async connected(client) {
    this.open.push(client);
    await client.connect();
    return client;
  }

  async close() {
    for (const client of this.open.reverse()) await client.disconnect();
  }

  async admin() {
    return (this.theAdmin ??= await this.connected(this.kafka.admin()));
  }

  async create(topic, numPartitions = 1, configs = {}) {
    const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }));
    const admin = await this.admin();
    await admin.createTopics({ topics: [{ topic, numPartitions, replicationFactor: -1, configEntries }] });
  }

  producer(settings = {}) {
    const createPartitioner = Partitioners.DefaultPartitioner;
    return this.connected(this.kafka.producer({ createPartitioner, ...settings }));
  }

  async send(...values) {
    const producer = await this.producer();
    for (const value of values) await producer.send({ topic: this.topic, messages: [{ value }] });
  }

  // A member that consumes from the beginning; what it got and holds can be looked at.
  async member(groupId, topic, { settings = {}, run = {}, each = async () => {} } = {}) {
    const consumer = await this.connected(
      this.kafka.consumer({ groupId, heartbeatInterval: 200, maxWaitTimeInMs: 100, ...settings }),
    );
    const member = { consumer, got: [], held: [] };
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      member.held = [...(payload.memberAssignment[topic] ?? [])].sort();
    });
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      ...run,
      eachMessage: async ({ message }) => {
        await each(message);
        member.got.push(message);
      },
    });
    return member;
  }

  async take(topic, count, settings = {}) {
    const member = await this.member(this.name(`reader-${this.open.length}`), topic, { settings });
    await until(() => member.got.length >= count);
    return member.got;
  }
}

const scenarios = {
  async round_trip(s) {
    await s.create(s.topic);
    const producer = await s.producer();
    const messages = [...Array(s.order.count).keys()].map((n) => ({ value: `value ${n} ${"x".repeat(50)}` }));
    await producer.send({ topic: s.topic, compression: CODECS[s.order.codec], messages });
    const got = await s.take(s.topic, s.order.count);
    return { topic: s.topic, values: texts(got), offsets: got.map((m) => Number(m.offset)) };
  },

  async fields(s) {
    await s.create(s.topic);
    const producer = await s.producer();
    const messages = [
      { key: "key", value: "value", headers: { a: ["1", "2"], empty: "" }, timestamp: String(START_MS) },
      { key: null, value: "no key", timestamp: String(START_MS + 1) },
      { key: "no value", value: null, timestamp: String(START_MS + 2) },
    ];
    await producer.send({ topic: s.topic, messages });
    const plain = (value) => (Array.isArray(value) ? value.map(String) : String(value));
    return (await s.take(s.topic, 3)).map((m) => [
      m.key && String(m.key),
      m.value && String(m.value),
      Object.fromEntries(Object.entries(m.headers).map(([key, value]) => [key, plain(value)])),
      Number(m.timestamp) - START_MS,
    ]);
  },

  async rebalance(s) {
    await s.create(s.topic, 4);
    const first = await s.member(s.group, s.topic);
    await until(() => first.held.length === 4);
    const stages = [[first.held]];
    const second = await s.member(s.group, s.topic);
    await until(() => first.held.length === 2 && second.held.length === 2);
    stages.push([first.held, second.held]);
    await second.consumer.disconnect();
    await until(() => first.held.length === 4);
    return [...stages, [first.held]];
  },

  async resume(s) {
    await s.create(s.topic);
    await s.send("a", "b", "c", "d", "e");
    const first = await s.member(s.group, s.topic, { run: { autoCommit: false } });
    await until(() => first.got.length === 5);
    await first.consumer.commitOffsets([{ topic: s.topic, partition: 0, offset: "2", metadata: "two are done" }]);
    await first.consumer.disconnect();
    const second = await s.member(s.group, s.topic);
    await until(() => second.got.length === 3);
    await second.consumer.disconnect();
    const admin = await s.admin();
    const [{ partitions }] = await admin.fetchOffsets({ groupId: s.group, topics: [s.topic] });
    return { rest: texts(second.got), then: Number(partitions[0].offset) };
  },

  async times(s) {
    await s.create(s.topic);
    const producer = await s.producer();
    for (let n = 0; n < 10; n++) {
      const messages = [{ value: String(n), timestamp: String(START_MS + n * 1000) }];
      await producer.send({ topic: s.topic, messages });
    }
    const admin = await s.admin();
    const found = [];
    for (const at of [-1, 4500, 9000, 9001]) {
      const [{ offset }] = await admin.fetchTopicOffsetsByTimestamp(s.topic, START_MS + at);
      found.push(Number(offset));
    }
    const [{ low, high }] = await admin.fetchTopicOffsets(s.topic);
    const member = await s.member(s.group, s.topic);
    member.consumer.seek({ topic: s.topic, partition: 0, offset: "5" });
    await until(() => texts(member.got).slice(-5).join("") === "56789");
    return { found, low, high };
  },

  async idempotent(s) {
    await s.create(s.topic);
    const producer = await s.producer({ idempotent: true, maxInFlightRequests: 1 });
    for (let n = 0; n < 20; n++) {
      await producer.send({ topic: s.topic, acks: -1, messages: [{ value: `${n}a` }, { value: `${n}b` }] });
    }
    return texts(await s.take(s.topic, 40));
  },

  async isolation(s) {
    await s.create(s.topic);
    const producer = await s.producer({ transactionalId: s.name("t"), maxInFlightRequests: 1, idempotent: true });
    for (let n = 0; n < 3; n++) {
      const transaction = await producer.transaction();
      await transaction.send({ topic: s.topic, messages: [{ value: `${n}a` }, { value: `${n}b` }] });
      await (n === 1 ? transaction.abort() : transaction.commit());
    }
    const open = await producer.transaction();
    await open.send({ topic: s.topic, messages: [{ value: "open" }] });
    const committed = texts(await s.take(s.topic, 4));
    const all = texts(await s.take(s.topic, 7, { readUncommitted: true }));
    await open.abort();
    return { committed, all };
  },

  async transform(s) {
    const results = s.name("results");
    await s.create(s.topic);
    await s.create(results);
    await s.send("a", "b", "c");
    const producer = await s.producer({ transactionalId: s.name("t"), maxInFlightRequests: 1, idempotent: true });
    const each = async (message) => {
      const transaction = await producer.transaction();
      const value = String(message.value).toUpperCase();
      await transaction.send({ topic: results, messages: [{ value }] });
      const offsets = [{ partition: 0, offset: String(Number(message.offset) + 1) }];
      await transaction.sendOffsets({ consumerGroupId: s.group, topics: [{ topic: s.topic, partitions: offsets }] });
      await (value === "B" ? transaction.abort() : transaction.commit());
    };
    const member = await s.member(s.group, s.topic, { run: { autoCommit: false }, each });
    await until(() => member.got.length === 3);
    await member.consumer.disconnect();
    const admin = await s.admin();
    const [{ partitions }] = await admin.fetchOffsets({ groupId: s.group, topics: [s.topic] });
    return { results: texts(await s.take(results, 2)), offset: Number(partitions[0].offset) };
  },

  async fencing(s) {
    await s.create(s.topic);
    const settings = { transactionalId: s.name("t"), maxInFlightRequests: 1, idempotent: true };
    const older = await s.producer(settings);
    const transaction = await older.transaction();
    await transaction.send({ topic: s.topic, messages: [{ value: "older" }] });
    const newer = await s.producer(settings);
    const next = await newer.transaction();
    await next.send({ topic: s.topic, messages: [{ value: "newer" }] });
    await next.commit();
    const refused = await error(() => transaction.commit());
    return { refused, read: texts(await s.take(s.topic, 1)) };
  },

  async topics(s) {
    const admin = await s.admin();
    await s.create(s.topic, 2);
    const told = { again: await admin.createTopics({ topics: [{ topic: s.topic }] }) };
    told.bad = await error(() => admin.createTopics({ topics: [{ topic: "not a name" }] }));
    await admin.createPartitions({ topicPartitions: [{ topic: s.topic, count: 3 }] });
    const metadata = async () => (await admin.fetchTopicMetadata({ topics: [s.topic] })).topics;
    await until(async () => (await metadata())[0].partitions.length === 3);
    const topics = await metadata();
    told.partitions = topics[0].partitions.map((p) => [p.partitionId, p.replicas.length, p.isr.length]).sort();
    told.listed = (await admin.listTopics()).includes(s.topic);
    await s.send("a", "b", "c");
    const partitions = (await admin.fetchTopicOffsets(s.topic)).filter((p) => p.high !== "0");
    await admin.deleteTopicRecords({
      topic: s.topic,
      partitions: partitions.map(({ partition, high }) => ({ partition, offset: high })),
    });
    told.left = (await admin.fetchTopicOffsets(s.topic)).map(({ low, high }) => high - low);
    await admin.deleteTopics({ topics: [s.topic] });
    await until(async () => !(await admin.listTopics()).includes(s.topic));
    return told;
  },

  async configs(s) {
    const admin = await s.admin();
    await s.create(s.topic, 1, { "retention.ms": "100000" });
    const resource = { type: ConfigResourceTypes.TOPIC, name: s.topic };
    const retention = async () => {
      const { resources } = await admin.describeConfigs({ resources: [resource], includeSynonyms: false });
      const { configValue, isDefault } = resources[0].configEntries.find((e) => e.configName === "retention.ms");
      return [configValue, isDefault];
    };
    const first = await retention();
    const configEntries = [{ name: "cleanup.policy", value: "compact" }];
    await admin.alterConfigs({ validateOnly: false, resources: [{ ...resource, configEntries }] });
    await until(async () => (await retention())[1]);
    return { first, then: await retention() };
  },

  async groups(s) {
    const admin = await s.admin();
    await s.create(s.topic);
    await s.send("a", "b");
    const member = await s.member(s.group, s.topic);
    await until(() => member.got.length === 2);
    const state = async () => (await admin.describeGroups([s.group])).groups[0];
    const busy = await state();
    const told = { busy: [busy.state, busy.protocolType, busy.protocol, busy.members.length] };
    told.refused = await error(() => admin.deleteGroups([s.group]));
    await member.consumer.disconnect();
    told.empty = (await state()).state;
    told.listed = (await admin.listGroups()).groups.filter((g) => g.groupId === s.group);
    const offset = async () => {
      const [{ partitions }] = await admin.fetchOffsets({ groupId: s.group, topics: [s.topic] });
      return Number(partitions[0].offset);
    };
    told.offsets = [await offset()];
    await admin.setOffsets({ groupId: s.group, topic: s.topic, partitions: [{ partition: 0, offset: "1" }] });
    told.offsets.push(await offset());
    await admin.deleteGroups([s.group]);
    told.gone = (await state()).state;
    return told;
  },

  async cluster(s) {
    const admin = await s.admin();
    const { brokers, controller, clusterId } = await admin.describeCluster();
    const nodes = brokers.map((b) => `${b.host}:${b.port}`);
    const reassignments = (await admin.listPartitionReassignments({ topics: [] })).topics;
    return { nodes, controlled: brokers[0].nodeId === controller, named: clusterId !== "", reassignments };
  },
};

const texts = (messages) => messages.map((m) => String(m.value));

async function error(attempt) {
  try {
    await attempt();
    return "";
  } catch (failed) {
    return failed.groups?.[0]?.error?.type ?? failed.errors?.[0]?.type ?? failed.type ?? failed.name;
  }
}

async function until(wanted) {
  for (const end = Date.now() + SECONDS * 1000; !(await wanted()); ) {
    if (Date.now() > end) throw new Error(`this takes too long: ${wanted}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function play(order) {
  const session = new Session(order);
  try {
    return await scenarios[order.scenario](session);
  } catch (failed) {
    return { failed: failed.stack };
  } finally {
    await session.close();
  }
}

ZstdCodec.run(async (zstd) => {
  addCodecs(zstd);
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(JSON.stringify(await play(JSON.parse(line))) + "\n");
  }
});
