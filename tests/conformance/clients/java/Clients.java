import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.AbortTransactionSpec;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.DescribeConfigsOptions;
import org.apache.kafka.clients.admin.ListConsumerGroupOffsetsSpec;
import org.apache.kafka.clients.admin.MemberToRemove;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.ProducerState;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.admin.TransactionDescription;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * What Java's own clients see of a broker. Reads a line of JSON an order, {"scenario", "bootstrap", "name", ...}, and
 * writes one: what the scenario found, or {"failed": its stack}. It asserts nothing; who asked does. Names of topics,
 * groups and transactions begin with "name", so that no order meets another's.
 */
public final class Clients {
    private static final Duration SHORT = Duration.ofMillis(50), LONG = Duration.ofSeconds(20);
    private static final long START_MS = 1_700_000_000_000L;

    private final JsonNode order;
    private final Admin admin;
    private final String topic, group;

    private Clients(JsonNode order, Admin admin) {
        this.order = order;
        this.admin = admin;
        this.topic = name("topic");
        this.group = name("group");
    }

    public static void main(String[] args) throws Exception {
        ObjectMapper json = new ObjectMapper();
        PrintStream answers = System.out;
        System.setOut(System.err);
        BufferedReader orders = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = orders.readLine(); line != null; line = orders.readLine()) {
            answers.println(json.writeValueAsString(run(json.readTree(line))));
            answers.flush();
        }
    }

    private static Object run(JsonNode order) {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", order.get("bootstrap").asText()))) {
            return new Clients(order, admin).scenario();
        } catch (Exception | AssertionError failed) {
            StringWriter stack = new StringWriter();
            failed.printStackTrace(new PrintWriter(stack));
            return Map.of("failed", stack.toString());
        }
    }

    private Object scenario() throws Exception {
        return switch (order.get("scenario").asText()) {
            case "round_trip" -> roundTrip();
            case "fields" -> fields();
            case "rebalance" -> rebalance();
            case "pattern" -> pattern();
            case "resume" -> resume();
            case "times" -> times();
            case "isolation" -> isolation();
            case "transform" -> transform();
            case "stale_member" -> staleMember();
            case "fencing" -> fencing();
            case "timeout" -> timeout();
            case "static_member" -> staticMember();
            case "refusals" -> refusals();
            case "topics" -> topics();
            case "configs" -> configs();
            case "groups" -> groups();
            case "offsets" -> offsets();
            case "transactions" -> transactions();
            case "cluster" -> cluster();
            default -> throw new IllegalArgumentException(order.toString());
        };
    }

    // Records

    private Object roundTrip() throws Exception {
        create(topic, 1);
        int count = order.get("count").asInt();
        try (Producer<String, String> producer = producer(Map.of("compression.type", order.get("codec").asText()))) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (int n = 0; n < count; n++) {
                sent.add(producer.send(new ProducerRecord<>(topic, "value " + n + " ".repeat(50))));
            }
            for (int n = 0; n < count; n++) {
                check(sent.get(n).get().offset() == n, "offsets are given in order");
            }
        }
        try (Consumer<String, String> consumer = subscribed(Map.of())) {
            List<ConsumerRecord<String, String>> got = take(consumer, count);
            return Map.of("topic", topic, "values", got.stream().map(r -> r.value().trim()).toList(),
                "offsets", got.stream().map(ConsumerRecord::offset).toList());
        }
    }

    private Object fields() throws Exception {
        create(topic, 1);
        try (Producer<String, String> producer = producer(Map.of())) {
            List<Header> headers = List.of(header("a", "1"), header("a", "2"), header("none", null), header("empty", ""));
            producer.send(new ProducerRecord<>(topic, 0, START_MS, "key", "value", headers));
            producer.send(new ProducerRecord<>(topic, 0, START_MS + 1, null, "no key"));
            producer.send(new ProducerRecord<>(topic, 0, START_MS + 2, "no value", null, List.of()));
            producer.send(new ProducerRecord<>(topic, 0, START_MS + 3, null, null, List.of())).get();
        }
        try (Consumer<String, String> consumer = assigned(Map.of())) {
            return take(consumer, 4).stream().map(record -> {
                List<List<String>> headers = new ArrayList<>();
                record.headers().forEach(h -> headers.add(Arrays.asList(h.key(), text(h.value()))));
                return Arrays.asList(record.key(), record.value(), headers, record.timestamp() - START_MS);
            }).toList();
        }
    }

    private Object times() throws Exception {
        create(topic, 1);
        TopicPartition partition = new TopicPartition(topic, 0);
        try (Producer<String, String> producer = producer(Map.of("linger.ms", 0))) {
            for (int n = 0; n < 10; n++) {
                producer.send(new ProducerRecord<>(topic, 0, START_MS + n * 1000, null, "" + n)).get();
            }
        }
        try (Consumer<String, String> consumer = assigned(Map.of())) {
            List<Object> found = new ArrayList<>();
            for (long at : new long[] {-1, 0, 4500, 9000, 9001}) {
                OffsetAndTimestamp offset = consumer.offsetsForTimes(Map.of(partition, START_MS + at)).get(partition);
                found.add(offset == null ? null : List.of(offset.offset(), offset.timestamp() - START_MS));
            }
            consumer.seek(partition, 5);
            List<String> rest = values(take(consumer, 5));
            return Map.of("found", found, "rest", rest, "beginning", consumer.beginningOffsets(List.of(partition)).get(partition),
                "end", consumer.endOffsets(List.of(partition)).get(partition));
        }
    }

    private Object refusals() throws Exception {
        create(topic, 1, "max.message.bytes", "1000", "cleanup.policy", "compact");
        Map<String, Object> told = new TreeMap<>();
        try (Producer<String, String> producer = producer(Map.of())) {
            told.put("too large", error(() -> producer.send(new ProducerRecord<>(topic, "k", "x".repeat(5000))).get()));
        }
        try (Producer<String, String> producer = producer(Map.of())) {
            told.put("no key", error(() -> producer.send(new ProducerRecord<>(topic, "no key")).get()));
        }
        try (Producer<String, String> producer = producer(Map.of("max.block.ms", 2000))) {
            told.put("bad name", error(() -> producer.send(new ProducerRecord<>("not a name", "v")).get()));
        }
        try (Producer<String, String> producer = producer(Map.of("transactional.id", name("t"), "transaction.timeout.ms", 100_000_000))) {
            told.put("timeout", error(producer::initTransactions));
        }
        try (Consumer<String, String> consumer = assigned(Map.of("auto.offset.reset", "none"))) {
            consumer.seek(new TopicPartition(topic, 0), 99);
            told.put("out of range", error(() -> take(consumer, 1)));
        }
        try (Consumer<String, String> consumer = subscribed(Map.of("session.timeout.ms", 100_000_000, "heartbeat.interval.ms", 100))) {
            told.put("session", error(() -> take(consumer, 1)));
        }
        return told;
    }

    // Groups

    private Object rebalance() throws Exception {
        create(topic, 4);
        List<Object> stages = new ArrayList<>();
        try (Consumer<String, String> first = subscribed(settings())) {
            until(() -> held(first).size() == 4, first);
            stages.add(List.of(held(first)));
            try (Consumer<String, String> second = subscribed(settings())) {
                until(() -> held(first).size() == 2 && held(second).size() == 2, first, second);
                stages.add(List.of(held(first), held(second)));
            }
            until(() -> held(first).size() == 4, first);
            stages.add(List.of(held(first)));
        }
        return stages;
    }

    private Object pattern() throws Exception {
        create(name("matching-a"), 1);
        try (Consumer<String, String> consumer = consumer(Map.of("group.protocol", "consumer"))) {
            consumer.subscribe(new SubscriptionPattern(java.util.regex.Pattern.quote(name("matching")) + "-.*"));
            until(() -> consumer.assignment().size() == 1, consumer);
            return consumer.assignment().stream().map(p -> p.topic().substring(name("").length())).toList();
        }
    }

    private Object resume() throws Exception {
        create(topic, 1);
        send("a", "b", "c", "d", "e");
        TopicPartition partition = new TopicPartition(topic, 0);
        try (Consumer<String, String> consumer = subscribed(settings())) {
            take(consumer, 5);
            consumer.commitSync(Map.of(partition, new OffsetAndMetadata(2, Optional.of(0), "two are done")));
        }
        try (Consumer<String, String> consumer = subscribed(settings())) {
            List<String> rest = values(take(consumer, 3));
            OffsetAndMetadata committed = consumer.committed(Set.of(partition)).get(partition);
            return Map.of("rest", rest, "offset", committed.offset(), "metadata", committed.metadata(),
                "epoch", committed.leaderEpoch().orElse(-1));
        }
    }

    private Object staticMember() throws Exception {
        create(topic, 2);
        Map<String, Object> one = with(settings(), "group.instance.id", "one"), two = with(settings(), "group.instance.id", "two");
        List<Collection<TopicPartition>> calls = new ArrayList<>();
        ConsumerRebalanceListener listener = new ConsumerRebalanceListener() {
            @Override
            public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
                calls.add(partitions);
            }

            @Override
            public void onPartitionsRevoked(Collection<TopicPartition> partitions) {}
        };
        Map<String, Object> told = new TreeMap<>();
        try (Consumer<String, String> first = consumer(one)) {
            first.subscribe(List.of(topic), listener);
            until(() -> held(first).size() == 2, first);
            List<Integer> before, after;
            try (Consumer<String, String> second = subscribed(two)) {
                until(() -> held(first).size() == 1 && held(second).size() == 1, first, second);
                before = held(second);
            }
            int callsBefore = calls.size();
            try (Consumer<String, String> second = subscribed(two)) {
                until(() -> held(second).size() == 1, first, second);
                after = held(second);
            }
            for (int n = 0; n < 10; n++) {
                first.poll(SHORT);
            }
            told.put("same", before.equals(after));
            told.put("more rebalances", calls.size() - callsBefore);
            if (!"consumer".equals(settings().get("group.protocol"))) {
                try (Consumer<String, String> usurper = subscribed(one)) {
                    told.put("fenced", error(() -> until(() -> false, usurper, first)));
                }
            }
            admin.removeMembersFromConsumerGroup(group, new RemoveMembersFromConsumerGroupOptions(Set.of(new MemberToRemove("two")))).all().get();
        }
        return told;
    }

    // Transactions

    private Object isolation() throws Exception {
        create(topic, 1);
        try (Producer<String, String> producer = transactional(name("t"), Map.of("compression.type", "lz4"))) {
            for (int n = 0; n < 3; n++) {
                producer.beginTransaction();
                producer.send(new ProducerRecord<>(topic, n + "a"));
                producer.send(new ProducerRecord<>(topic, n + "b")).get();
                if (n == 1) {
                    producer.abortTransaction();
                } else {
                    producer.commitTransaction();
                }
            }
            producer.beginTransaction();
            producer.send(new ProducerRecord<>(topic, "open")).get();
            TopicPartition partition = new TopicPartition(topic, 0);
            try (Consumer<String, String> committed = assigned(Map.of("isolation.level", "read_committed"));
                 Consumer<String, String> all = assigned(Map.of())) {
                List<String> first = values(take(committed, 4)), every = values(take(all, 7));
                int more = committed.poll(Duration.ofMillis(300)).count();
                long end = committed.endOffsets(List.of(partition)).get(partition);
                producer.abortTransaction();
                return Map.of("committed", first, "all", every, "more", more, "stable end", end,
                    "end", all.endOffsets(List.of(partition)).get(partition));
            }
        }
    }

    private Object transform() throws Exception {
        create(topic, 1);
        String results = name("results");
        create(results, 1);
        send("a", "b", "c", "d", "e", "f");
        TopicPartition partition = new TopicPartition(topic, 0);
        Map<String, Object> told = new TreeMap<>();
        try (Producer<String, String> producer = transactional(name("t"), Map.of());
             Consumer<String, String> consumer = subscribed(with(settings(), "isolation.level", "read_committed", "max.poll.records", 2))) {
            for (boolean commit : new boolean[] {true, false, true}) {
                producer.beginTransaction();
                for (ConsumerRecord<String, String> record : take(consumer, 2)) {
                    producer.send(new ProducerRecord<>(results, record.value().toUpperCase()));
                }
                producer.sendOffsetsToTransaction(
                    Map.of(partition, new OffsetAndMetadata(consumer.position(partition))), consumer.groupMetadata());
                if (commit) {
                    producer.commitTransaction();
                } else {
                    producer.abortTransaction();
                    told.put("after abort", consumer.committed(Set.of(partition)).get(partition).offset());
                    consumer.seek(partition, 2);
                }
            }
            told.put("in the end", consumer.committed(Set.of(partition)).get(partition).offset());
        }
        try (Consumer<String, String> consumer = consumer(Map.of("isolation.level", "read_committed"))) {
            consumer.assign(List.of(new TopicPartition(results, 0)));
            told.put("results", values(take(consumer, 4)));
        }
        return told;
    }

    private Object staleMember() throws Exception {
        create(topic, 1);
        TopicPartition partition = new TopicPartition(topic, 0);
        try (Producer<String, String> producer = transactional(name("t"), Map.of());
             Consumer<String, String> consumer = subscribed(settings())) {
            until(() -> held(consumer).size() == 1, consumer);
            ConsumerGroupMetadata now = consumer.groupMetadata();
            consumer.unsubscribe();
            producer.beginTransaction();
            producer.send(new ProducerRecord<>(topic, "never")).get();
            String refused = error(() ->
                producer.sendOffsetsToTransaction(Map.of(partition, new OffsetAndMetadata(1)), now));
            producer.abortTransaction();
            return refused;
        }
    }

    private Object fencing() throws Exception {
        create(topic, 1);
        Map<String, Object> told = new TreeMap<>();
        try (Producer<String, String> older = transactional(name("t"), Map.of())) {
            older.beginTransaction();
            older.send(new ProducerRecord<>(topic, "older")).get();
            try (Producer<String, String> newer = transactional(name("t"), Map.of())) {
                told.put("commit", error(older::commitTransaction));
                newer.beginTransaction();
                newer.send(new ProducerRecord<>(topic, "newer")).get();
                newer.commitTransaction();
            }
        }
        try (Producer<String, String> older = transactional(name("u"), Map.of())) {
            older.beginTransaction();
            older.send(new ProducerRecord<>(topic, "older")).get();
            transactional(name("u"), Map.of()).close();
            told.put("send", error(() -> older.send(new ProducerRecord<>(topic, "older again")).get()));
        }
        try (Producer<String, String> older = transactional(name("v"), Map.of())) {
            admin.fenceProducers(List.of(name("v"))).all().get();
            older.beginTransaction();
            told.put("by the admin", error(() -> {
                older.send(new ProducerRecord<>(topic, "v")).get();
                older.commitTransaction();
            }));
        }
        try (Consumer<String, String> consumer = assigned(Map.of("isolation.level", "read_committed"))) {
            told.put("read", values(take(consumer, 1)));
        }
        return told;
    }

    private Object timeout() throws Exception {
        create(topic, 1);
        try (Producer<String, String> producer = transactional(name("t"), Map.of("transaction.timeout.ms", 1000));
             Consumer<String, String> consumer = assigned(Map.of("isolation.level", "read_committed"))) {
            producer.beginTransaction();
            producer.send(new ProducerRecord<>(topic, "too late")).get();
            send("behind it");
            List<String> read = values(take(consumer, 1));
            String refused = error(producer::commitTransaction);
            return Map.of("read", read, "commit", refused);
        }
    }

    private Object transactions() throws Exception {
        create(topic, 1);
        TopicPartition partition = new TopicPartition(topic, 0);
        Map<String, Object> told = new TreeMap<>();
        try (Producer<String, String> producer = transactional(name("t"), Map.of())) {
            producer.beginTransaction();
            producer.send(new ProducerRecord<>(topic, "open")).get();
            TransactionDescription open = admin.describeTransactions(List.of(name("t"))).all().get().get(name("t"));
            ProducerState active = admin.describeProducers(List.of(partition)).all().get().get(partition).activeProducers().get(0);
            told.put("open", List.of(open.state().toString(), open.topicPartitions().equals(Set.of(partition)),
                open.producerId() == active.producerId(), active.currentTransactionStartOffset().getAsLong(), active.lastSequence()));
            told.put("listed", listed());
            admin.abortTransaction(new AbortTransactionSpec(partition, active.producerId(), (short) active.producerEpoch(),
                active.coordinatorEpoch().orElse(0))).all().get();
            told.put("end after abort", admin.listOffsets(Map.of(partition, OffsetSpec.latest()),
                new org.apache.kafka.clients.admin.ListOffsetsOptions(IsolationLevel.READ_COMMITTED)).all().get().get(partition).offset());
            told.put("unknown", error(() -> admin.describeTransactions(List.of(name("nobody"))).all().get()));
        }
        return told;
    }

    private List<String> listed() throws Exception {
        return admin.listTransactions().all().get().stream()
            .filter(t -> t.transactionalId().equals(name("t"))).map(t -> t.state().toString()).toList();
    }

    // Administration

    private Object topics() throws Exception {
        Map<String, Object> told = new TreeMap<>();
        NewTopic wanted = new NewTopic(topic, 2, (short) 1).configs(Map.of("retention.ms", "100000"));
        admin.createTopics(List.of(wanted), new CreateTopicsOptions().validateOnly(true)).all().get();
        told.put("after validation", admin.listTopics().names().get().contains(topic));
        var created = admin.createTopics(List.of(wanted));
        told.put("created", List.of(created.numPartitions(topic).get(), created.replicationFactor(topic).get(),
            created.config(topic).get().get("retention.ms").value()));
        told.put("again", error(() -> admin.createTopics(List.of(wanted)).all().get()));
        var mixed = admin.createTopics(List.of(new NewTopic(name("good"), 1, (short) 1), new NewTopic("not a name", 1, (short) 1)));
        mixed.values().get(name("good")).get();
        told.put("bad name", error(() -> mixed.values().get("not a name").get()));
        told.put("replicas", error(() -> admin.createTopics(List.of(new NewTopic(name("x"), 1, (short) 3))).all().get()));
        told.put("no partitions", error(() -> admin.createTopics(List.of(new NewTopic(name("x"), 0, (short) 1))).all().get()));
        told.put("assigned", error(() -> admin.createTopics(List.of(new NewTopic(name("x"), Map.of(0, List.of(99))))).all().get()));
        admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(3))).all().get();
        told.put("fewer", error(() -> admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(1))).all().get()));
        until(() -> admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size() == 3);
        TopicDescription described = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
        told.put("partitions", described.partitions().stream().map(p -> p.partition()).toList());
        told.put("same id", created.topicId(topic).get().equals(described.topicId()));
        told.put("by id", admin.describeTopics(org.apache.kafka.common.TopicCollection.ofTopicIds(List.of(described.topicId())))
            .allTopicIds().get().get(described.topicId()).name().equals(topic));
        admin.deleteTopics(org.apache.kafka.common.TopicCollection.ofTopicIds(List.of(described.topicId()))).all().get();
        until(() -> error(() -> admin.describeTopics(List.of(topic)).allTopicNames().get()).equals("UnknownTopicOrPartitionException"));
        told.put("delete again", error(() -> admin.deleteTopics(List.of(topic)).all().get()));
        admin.createTopics(List.of(wanted)).all().get();
        until(() -> error(() -> admin.describeTopics(List.of(topic)).allTopicNames().get()).isEmpty());
        told.put("new id", !admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).topicId().equals(described.topicId()));
        return told;
    }

    private Object configs() throws Exception {
        create(topic, 1, "retention.ms", "100000");
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        Map<String, Object> told = new TreeMap<>();
        told.put("first", List.of(config(resource, "retention.ms"), config(resource, "cleanup.policy"), config(resource, "segment.bytes")));
        alter(resource, "retention.ms", null, AlterConfigOp.OpType.DELETE);
        alter(resource, "cleanup.policy", "compact", AlterConfigOp.OpType.APPEND);
        until(() -> config(resource, "cleanup.policy").get(0).contains("compact"));
        told.put("then", List.of(config(resource, "retention.ms"), config(resource, "cleanup.policy")));
        alter(resource, "cleanup.policy", "delete", AlterConfigOp.OpType.SUBTRACT);
        until(() -> !config(resource, "cleanup.policy").get(0).contains("delete"));
        told.put("subtracted", config(resource, "cleanup.policy"));
        told.put("append to a number", error(() -> alter(resource, "retention.ms", "1", AlterConfigOp.OpType.APPEND)));
        told.put("unknown", error(() -> alter(resource, "no.such", "1", AlterConfigOp.OpType.SET)));
        told.put("no topic", error(() -> alter(new ConfigResource(ConfigResource.Type.TOPIC, name("x")), "retention.ms", "1", AlterConfigOp.OpType.SET)));
        Config every = admin.describeConfigs(List.of(resource), new DescribeConfigsOptions().includeDocumentation(true)).all().get().get(resource);
        told.put("names", every.entries().stream().map(ConfigEntry::name).sorted().toList());
        told.put("documented", every.get("cleanup.policy").documentation() != null && every.get("cleanup.policy").type() == ConfigEntry.ConfigType.LIST);
        return told;
    }

    private void alter(ConfigResource resource, String name, String value, AlterConfigOp.OpType how) throws Exception {
        admin.incrementalAlterConfigs(Map.of(resource, List.of(new AlterConfigOp(new ConfigEntry(name, value), how)))).all().get();
    }

    private List<String> config(ConfigResource resource, String name) throws Exception {
        until(() -> error(() -> admin.describeConfigs(List.of(resource)).all().get()).isEmpty());
        ConfigEntry entry = admin.describeConfigs(List.of(resource)).all().get().get(resource).get(name);
        return List.of(entry.value(), entry.source().toString());
    }

    private Object groups() throws Exception {
        create(topic, 1);
        send("a", "b");
        TopicPartition partition = new TopicPartition(topic, 0);
        Map<String, Object> told = new TreeMap<>();
        try (Consumer<String, String> consumer = subscribed(with(settings(), "client.id", "me"))) {
            take(consumer, 2);
            consumer.commitSync();
            ConsumerGroupDescription described = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
            told.put("busy", List.of(described.groupState().toString(), described.type().toString(), described.partitionAssignor(),
                described.members().stream().map(m -> List.of(m.clientId(), m.assignment().topicPartitions().equals(Set.of(partition)))).toList()));
            told.put("delete busy", error(() -> admin.deleteConsumerGroups(List.of(group)).all().get()));
            told.put("alter busy", error(() -> admin.alterConsumerGroupOffsets(group, Map.of(partition, new OffsetAndMetadata(0))).all().get()));
            told.put("delete offsets busy", error(() -> admin.deleteConsumerGroupOffsets(group, Set.of(partition)).all().get()));
        }
        told.put("empty", admin.describeConsumerGroups(List.of(group)).all().get().get(group).groupState().toString());
        told.put("listed", admin.listGroups().all().get().stream().filter(g -> g.groupId().equals(group))
            .map(g -> List.of(g.type().get().toString(), g.groupState().get().toString(), g.protocol())).toList());
        told.put("committed", committed(partition));
        admin.alterConsumerGroupOffsets(group, Map.of(partition, new OffsetAndMetadata(1))).all().get();
        told.put("moved", committed(partition));
        admin.deleteConsumerGroupOffsets(group, Set.of(partition)).all().get();
        told.put("forgotten", committed(partition));
        admin.deleteConsumerGroups(List.of(group)).all().get();
        told.put("gone", error(() -> admin.describeConsumerGroups(List.of(group)).all().get()));
        told.put("delete again", error(() -> admin.deleteConsumerGroups(List.of(group)).all().get()));
        return told;
    }

    private long committed(TopicPartition partition) throws Exception {
        OffsetAndMetadata found = admin.listConsumerGroupOffsets(Map.of(group, new ListConsumerGroupOffsetsSpec()))
            .partitionsToOffsetAndMetadata(group).get().get(partition);
        return found == null ? -1 : found.offset();
    }

    private Object offsets() throws Exception {
        create(topic, 1);
        TopicPartition partition = new TopicPartition(topic, 0);
        try (Producer<String, String> producer = producer(Map.of("linger.ms", 0))) {
            for (long at : new long[] {1000, 3000, 2000}) {
                producer.send(new ProducerRecord<>(topic, 0, START_MS + at, null, "v")).get();
            }
        }
        Map<String, Object> told = new LinkedHashMap<>();
        Map<String, OffsetSpec> specs = new LinkedHashMap<>();
        specs.put("earliest", OffsetSpec.earliest());
        specs.put("latest", OffsetSpec.latest());
        specs.put("max timestamp", OffsetSpec.maxTimestamp());
        specs.put("by time", OffsetSpec.forTimestamp(START_MS + 2500));
        specs.put("after all", OffsetSpec.forTimestamp(START_MS + 9000));
        specs.put("earliest local", OffsetSpec.earliestLocal());
        specs.put("latest tiered", OffsetSpec.latestTiered());
        for (var spec : specs.entrySet()) {
            told.put(spec.getKey(), admin.listOffsets(Map.of(partition, spec.getValue())).all().get().get(partition).offset());
        }
        told.put("deleted", deleted(partition, 2));
        told.put("then earliest", admin.listOffsets(Map.of(partition, OffsetSpec.earliest())).all().get().get(partition).offset());
        told.put("all deleted", deleted(partition, -1));
        told.put("beyond", error(() -> deleted(partition, 99)));
        told.put("no topic", error(() -> admin.listOffsets(Map.of(new TopicPartition(name("x"), 0), OffsetSpec.latest())).all().get()));
        return told;
    }

    private long deleted(TopicPartition partition, long before) throws Exception {
        return admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(before))).lowWatermarks().get(partition).get().lowWatermark();
    }

    private Object cluster() throws Exception {
        create(topic, 1);
        send("a");
        int node = admin.describeCluster().nodes().get().iterator().next().id();
        Map<String, Object> told = new TreeMap<>();
        told.put("nodes", admin.describeCluster().nodes().get().stream().map(n -> n.host() + ":" + n.port()).toList());
        told.put("controller is it", admin.describeCluster().controller().get().id() == node);
        told.put("disk", admin.describeLogDirs(List.of(node)).allDescriptions().get().get(node).values().stream()
            .anyMatch(d -> d.replicaInfos().containsKey(new TopicPartition(topic, 0)) && d.totalBytes().isPresent()));
        told.put("features", new TreeSet<>(admin.describeFeatures().featureMetadata().get().finalizedFeatures().keySet()));
        told.put("quotas", admin.describeClientQuotas(org.apache.kafka.common.quota.ClientQuotaFilter.all()).entities().get().size());
        told.put("reassignments", admin.listPartitionReassignments().reassignments().get().size());
        told.put("election", error(() -> admin.electLeaders(ElectionType.PREFERRED, Set.of(new TopicPartition(topic, 0))).all().get()));
        ConfigResource broker = new ConfigResource(ConfigResource.Type.BROKER, "" + node);
        told.put("broker config", config(broker, "auto.create.topics.enable"));
        told.put("resources", admin.listConfigResources(Set.of(ConfigResource.Type.TOPIC), new org.apache.kafka.clients.admin.ListConfigResourcesOptions())
            .all().get().stream().anyMatch(r -> r.name().equals(topic)));
        return told;
    }

    // What scenarios are made of

    private interface Attempt {
        void run() throws Exception;
    }

    /** The name of the error it ends with, or its message if it has no name of its own; "" for none. */
    private static String error(Attempt attempt) {
        try {
            attempt.run();
            return "";
        } catch (ExecutionException wrapped) {
            return wrapped.getCause().getClass().getSimpleName();
        } catch (KafkaException told) {
            boolean named = told.getClass() != KafkaException.class;
            return named ? told.getClass().getSimpleName() : String.valueOf(told.getMessage());
        } catch (Exception | AssertionError failed) {
            return failed.getClass().getSimpleName();
        }
    }

    private String name(String what) {
        return order.get("name").asText() + "-" + what;
    }

    private Map<String, Object> settings() {
        Map<String, Object> settings = new HashMap<>();
        order.path("settings").properties().forEach(s -> settings.put(s.getKey(), s.getValue().asText()));
        return settings;
    }

    private static Map<String, Object> with(Map<String, Object> settings, Object... more) {
        Map<String, Object> all = new HashMap<>(settings);
        for (int n = 0; n < more.length; n += 2) {
            all.put((String) more[n], more[n + 1]);
        }
        return all;
    }

    private void create(String topic, int partitions, String... configs) throws Exception {
        Map<String, String> given = IntStream.range(0, configs.length / 2).boxed()
            .collect(Collectors.toMap(n -> configs[2 * n], n -> configs[2 * n + 1]));
        admin.createTopics(List.of(new NewTopic(topic, partitions, (short) -1).configs(given))).all().get();
        until(() -> error(() -> admin.describeTopics(List.of(topic)).allTopicNames().get()).isEmpty());
    }

    private Producer<String, String> producer(Map<String, Object> settings) {
        Map<String, Object> base = Map.of("bootstrap.servers", order.get("bootstrap").asText(), "linger.ms", 5);
        return new KafkaProducer<>(with(base, flat(settings)), new StringSerializer(), new StringSerializer());
    }

    private Producer<String, String> transactional(String id, Map<String, Object> settings) {
        Producer<String, String> producer = producer(with(settings, "transactional.id", id));
        producer.initTransactions();
        return producer;
    }

    private void send(String... values) throws Exception {
        try (Producer<String, String> producer = producer(Map.of())) {
            for (String value : values) {
                producer.send(new ProducerRecord<>(topic, value)).get();
            }
        }
    }

    private Consumer<String, String> consumer(Map<String, Object> settings) {
        Map<String, Object> base = new HashMap<>(Map.of("bootstrap.servers", order.get("bootstrap").asText(), "group.id", group,
            "auto.offset.reset", "earliest", "enable.auto.commit", false, "fetch.max.wait.ms", 100));
        if (!"consumer".equals(settings.get("group.protocol"))) {
            base.put("heartbeat.interval.ms", 200);
        }
        return new KafkaConsumer<>(with(base, flat(settings)), new StringDeserializer(), new StringDeserializer());
    }

    private Consumer<String, String> subscribed(Map<String, Object> settings) {
        Consumer<String, String> consumer = consumer(settings);
        consumer.subscribe(List.of(topic));
        return consumer;
    }

    private Consumer<String, String> assigned(Map<String, Object> settings) {
        Consumer<String, String> consumer = consumer(settings);
        consumer.assign(List.of(new TopicPartition(topic, 0)));
        return consumer;
    }

    private static Object[] flat(Map<String, Object> settings) {
        return settings.entrySet().stream().flatMap(s -> java.util.stream.Stream.of(s.getKey(), s.getValue())).toArray();
    }

    private static List<ConsumerRecord<String, String>> take(Consumer<String, String> consumer, int count) {
        List<ConsumerRecord<String, String>> got = new ArrayList<>();
        long end = System.nanoTime() + LONG.toNanos();
        while (got.size() < count && System.nanoTime() < end) {
            consumer.poll(SHORT).forEach(got::add);
        }
        check(got.size() == count, got.size() + " of " + count + " records came");
        return got;
    }

    private static List<String> values(List<ConsumerRecord<String, String>> records) {
        return records.stream().map(ConsumerRecord::value).toList();
    }

    private interface Wanted {
        boolean holds() throws Exception;
    }

    /** Waits until it holds; meanwhile the members poll. */
    @SafeVarargs
    private static void until(Wanted wanted, Consumer<String, String>... members) throws Exception {
        long end = System.nanoTime() + LONG.toNanos();
        while (!wanted.holds()) {
            check(System.nanoTime() < end, "this takes too long");
            for (Consumer<String, String> member : members) {
                member.poll(SHORT);
            }
        }
    }

    private static List<Integer> held(Consumer<String, String> member) {
        return member.assignment().stream().map(TopicPartition::partition).sorted().toList();
    }

    private static Header header(String key, String value) {
        return new RecordHeader(key, value == null ? null : value.getBytes(StandardCharsets.UTF_8));
    }

    private static String text(byte[] bytes) {
        return bytes == null ? null : new String(bytes, StandardCharsets.UTF_8);
    }

    private static void check(boolean holds, String otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }
}
