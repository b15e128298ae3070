// What franz-go sees of a broker. Reads a line of JSON an order, {"scenario", "bootstrap", "name", ...}, and writes one:
// what the scenario found, or {"failed": why}. It asserts nothing; who asked does. Names of topics, groups and
// transactions begin with "name", so that no order meets another's.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	patience = 20 * time.Second
	startMs  = int64(1_700_000_000_000)
)

type order struct {
	Scenario, Bootstrap, Name, Codec, Balancer string
	Count                                      int
}

type told = map[string]any

// session is what one order works with. Its methods panic; play turns that into the order's failure.
type session struct {
	order
	ctx          context.Context
	admin        *kadm.Client
	topic, group string
}

func main() {
	lines, answers := bufio.NewScanner(os.Stdin), json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var wanted order
		if err := json.Unmarshal(lines.Bytes(), &wanted); err != nil {
			panic(err)
		}
		if err := answers.Encode(play(wanted)); err != nil {
			panic(err)
		}
	}
}

func play(wanted order) (found any) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	client := must(kgo.NewClient(kgo.SeedBrokers(strings.Split(wanted.Bootstrap, ",")...), kgo.MetadataMinAge(20*time.Millisecond)))
	defer client.Close()
	s := &session{order: wanted, ctx: ctx, admin: kadm.NewClient(client)}
	s.topic, s.group = s.name("topic"), s.name("group")
	defer func() {
		if why := recover(); why != nil {
			found = told{"failed": fmt.Sprint(why)}
		}
	}()
	return scenarios[wanted.Scenario](s)
}

var scenarios = map[string]func(*session) any{
	"round_trip":    (*session).roundTrip,
	"fields":        (*session).fields,
	"rebalance":     (*session).rebalance,
	"resume":        (*session).resume,
	"times":         (*session).times,
	"idempotent":    (*session).idempotent,
	"isolation":     (*session).isolation,
	"transform":     (*session).transform,
	"fencing":       (*session).fencing,
	"static_member": (*session).staticMember,
	"topics":        (*session).topics,
	"configs":       (*session).configs,
	"groups":        (*session).groups,
	"offsets":       (*session).offsets,
	"transactions":  (*session).transactions,
	"cluster":       (*session).cluster,
}

// Records

func (s *session) roundTrip() any {
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	s.create(s.topic, 1)
	sent := make([]string, s.Count)
	for n := range sent {
		sent[n] = fmt.Sprintf("value %d %s", n, strings.Repeat("x", 50))
	}
	s.send(sent, kgo.ProducerBatchCompression(codecs[s.Codec]))
	got := s.read(s.topic, s.Count)
	return told{"topic": s.topic, "values": values(got), "last": got[len(got)-1].Offset}
}

func (s *session) fields() any {
	s.create(s.topic, 1)
	at := func(n int64) time.Time { return time.UnixMilli(startMs + n) }
	headers := []kgo.RecordHeader{{Key: "a", Value: []byte("1")}, {Key: "a", Value: []byte("2")}, {Key: "none"}, {Key: "empty", Value: []byte{}}}
	producer := s.client()
	defer producer.Close()
	check(producer.ProduceSync(s.ctx,
		&kgo.Record{Topic: s.topic, Key: []byte("key"), Value: []byte("value"), Headers: headers, Timestamp: at(0)},
		&kgo.Record{Topic: s.topic, Value: []byte("no key"), Timestamp: at(1)},
		&kgo.Record{Topic: s.topic, Key: []byte("no value"), Timestamp: at(2)},
		&kgo.Record{Topic: s.topic, Timestamp: at(3)},
	).FirstErr())
	found := []any{}
	for _, record := range s.read(s.topic, 4) {
		heads := []any{}
		for _, header := range record.Headers {
			heads = append(heads, []any{header.Key, text(header.Value)})
		}
		found = append(found, []any{text(record.Key), text(record.Value), heads, record.Timestamp.UnixMilli() - startMs})
	}
	return found
}

func (s *session) times() any {
	s.create(s.topic, 1)
	producer := s.client(kgo.ProducerLinger(0))
	defer producer.Close()
	for n := range int64(10) {
		record := &kgo.Record{Topic: s.topic, Value: fmt.Append(nil, n), Timestamp: time.UnixMilli(startMs + n*1000)}
		check(producer.ProduceSync(s.ctx, record).FirstErr())
	}
	found := []any{}
	for _, at := range []int64{-1, 4500, 9000, 9001} {
		offset, _ := must(s.admin.ListOffsetsAfterMilli(s.ctx, startMs+at, s.topic)).Lookup(s.topic, 0)
		found = append(found, []int64{offset.Offset, offset.Timestamp - startMs})
	}
	after := kgo.NewOffset().AfterMilli(startMs + 4500)
	consumer := s.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{s.topic: {0: after}}))
	defer consumer.Close()
	return told{"found": found[:3], "after all": found[3].([]int64)[0], "rest": values(s.take(consumer, 5))}
}

func (s *session) idempotent() any {
	s.create(s.topic, 1)
	sent := make([]string, 1000)
	for n := range sent {
		sent[n] = fmt.Sprint(n)
	}
	s.send(sent, kgo.ProducerBatchMaxBytes(512))
	return slices.Equal(values(s.read(s.topic, 1000)), sent)
}

// Groups

// member is a member of the session's group that polls until it is closed.
type member struct {
	client *kgo.Client
	lock   sync.Mutex
	have   map[int32]bool
	calls  int
	done   chan struct{}
}

func (s *session) member(options ...kgo.Opt) *member {
	m := &member{have: map[int32]bool{}, done: make(chan struct{})}
	change := func(have bool) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
			m.lock.Lock()
			defer m.lock.Unlock()
			if have {
				m.calls++
			}
			for _, partition := range partitions[s.topic] {
				m.have[partition] = have
			}
		}
	}
	m.client = s.client(append([]kgo.Opt{
		kgo.ConsumerGroup(s.group), kgo.ConsumeTopics(s.topic), kgo.DisableAutoCommit(), kgo.HeartbeatInterval(200 * time.Millisecond),
		kgo.OnPartitionsAssigned(change(true)), kgo.OnPartitionsRevoked(change(false)), kgo.OnPartitionsLost(change(false)),
	}, options...)...)
	go func() {
		defer close(m.done)
		for !m.client.PollFetches(s.ctx).IsClientClosed() && s.ctx.Err() == nil {
		}
	}()
	return m
}

func (m *member) held() []int32 {
	m.lock.Lock()
	defer m.lock.Unlock()
	held := []int32{}
	for partition, have := range m.have {
		if have {
			held = append(held, partition)
		}
	}
	slices.Sort(held)
	return held
}

func (m *member) close() {
	m.client.Close()
	<-m.done
}

func (s *session) balancer() []kgo.Opt {
	switch s.Balancer {
	case "consumer":
		return []kgo.Opt{kgo.ServerSideBalancer()}
	case "cooperative-sticky":
		return []kgo.Opt{kgo.Balancers(kgo.CooperativeStickyBalancer())}
	default:
		return []kgo.Opt{kgo.Balancers(kgo.RangeBalancer())}
	}
}

func (s *session) rebalance() any {
	s.create(s.topic, 4)
	first := s.member(s.balancer()...)
	defer first.close()
	until(func() bool { return len(first.held()) == 4 })
	stages := []any{[]any{first.held()}}
	second := s.member(s.balancer()...)
	until(func() bool { return len(first.held()) == 2 && len(second.held()) == 2 })
	stages = append(stages, []any{first.held(), second.held()})
	second.close()
	until(func() bool { return len(first.held()) == 4 })
	return append(stages, []any{first.held()})
}

func (s *session) staticMember() any {
	s.create(s.topic, 2)
	named := func(name string) *member { return s.member(append(s.balancer(), kgo.InstanceID(name))...) }
	one, two := named("one"), named("two")
	defer one.close()
	until(func() bool { return len(one.held()) == 1 && len(two.held()) == 1 })
	before, calls := two.held(), one.calls
	two.close()
	again := named("two")
	until(func() bool { return len(again.held()) == 1 })
	after := again.held()
	again.close()
	return told{"same": slices.Equal(before, after), "more rebalances": one.calls - calls}
}

func (s *session) resume() any {
	s.create(s.topic, 1)
	s.send([]string{"a", "b", "c", "d", "e"})
	join := func() *kgo.Client {
		return s.client(append(s.balancer(), kgo.ConsumerGroup(s.group), kgo.ConsumeTopics(s.topic), kgo.DisableAutoCommit())...)
	}
	first := join()
	check(first.CommitRecords(s.ctx, s.take(first, 5)[1]))
	first.Close()
	second := join()
	defer second.Close()
	return values(s.take(second, 3))
}

// Transactions

func (s *session) isolation() any {
	s.create(s.topic, 1)
	producer := s.client(kgo.TransactionalID(s.name("t")))
	defer producer.Close()
	for n := range 3 {
		check(producer.BeginTransaction())
		for _, half := range []string{"a", "b"} {
			check(producer.ProduceSync(s.ctx, kgo.KeyStringRecord("k", fmt.Sprint(n, half))).FirstErr())
		}
		check(producer.EndTransaction(s.ctx, kgo.TransactionEndTry(n != 1)))
	}
	check(producer.BeginTransaction())
	check(producer.ProduceSync(s.ctx, kgo.KeyStringRecord("k", "open")).FirstErr())
	committed, all := values(s.read(s.topic, 4, kgo.FetchIsolationLevel(kgo.ReadCommitted()))), values(s.read(s.topic, 7))
	stable, _ := must(s.admin.ListCommittedOffsets(s.ctx, s.topic)).Lookup(s.topic, 0)
	check(producer.EndTransaction(s.ctx, kgo.TryAbort))
	return told{"committed": committed, "all": all, "stable": stable.Offset}
}

func (s *session) transform() any {
	results := s.name("results")
	s.create(s.topic, 1)
	s.create(results, 1)
	s.send([]string{"a", "b", "c"})
	options := append(s.balancer(), kgo.SeedBrokers(strings.Split(s.Bootstrap, ",")...), kgo.DefaultProduceTopicAlways(), kgo.DefaultProduceTopic(results),
		kgo.TransactionalID(s.name("t")), kgo.ConsumerGroup(s.group), kgo.ConsumeTopics(s.topic), kgo.RequireStableFetchOffsets(),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	work := must(kgo.NewGroupTransactSession(options...))
	defer work.Close()
	aborted := false
	for seen := 0; seen < 3; {
		fetches := work.PollRecords(s.ctx, 1)
		check(fetches.Err())
		check(work.Begin())
		for _, record := range fetches.Records() {
			check(work.ProduceSync(s.ctx, kgo.StringRecord(strings.ToUpper(string(record.Value)))).FirstErr())
		}
		again := fetches.NumRecords() == 1 && string(fetches.Records()[0].Value) == "b" && !aborted
		aborted = aborted || again
		if committed := must(work.End(s.ctx, kgo.TransactionEndTry(!again))); committed {
			seen += fetches.NumRecords()
		}
	}
	until(func() bool {
		offset, _ := must(s.admin.FetchOffsets(s.ctx, s.group)).Lookup(s.topic, 0)
		return offset.At == 3
	})
	return told{"aborted": aborted, "results": values(s.read(results, 3, kgo.FetchIsolationLevel(kgo.ReadCommitted())))}
}

func (s *session) fencing() any {
	s.create(s.topic, 1)
	older := s.client(kgo.TransactionalID(s.name("t")))
	defer older.Close()
	check(older.BeginTransaction())
	check(older.ProduceSync(s.ctx, kgo.StringRecord("older")).FirstErr())
	newer := s.client(kgo.TransactionalID(s.name("t")))
	defer newer.Close()
	check(newer.BeginTransaction())
	check(newer.ProduceSync(s.ctx, kgo.StringRecord("newer")).FirstErr())
	check(newer.EndTransaction(s.ctx, kgo.TryCommit))
	refused := older.ProduceSync(s.ctx, kgo.StringRecord("older again")).FirstErr()
	return told{"refused": name(refused), "read": values(s.read(s.topic, 1, kgo.FetchIsolationLevel(kgo.ReadCommitted())))}
}

func (s *session) transactions() any {
	s.create(s.topic, 1)
	id := s.name("t")
	producer := s.client(kgo.TransactionalID(id))
	defer producer.Close()
	check(producer.BeginTransaction())
	check(producer.ProduceSync(s.ctx, kgo.StringRecord("open")).FirstErr())
	described := must(s.admin.DescribeTransactions(s.ctx, id))[id]
	check(described.Err)
	partitions := kadm.TopicsSet{}
	partitions.Add(s.topic, 0)
	active := must(s.admin.DescribeProducers(s.ctx, partitions)).SortedProducers()[0]
	listed := must(s.admin.ListTransactions(s.ctx, nil, []string{"Ongoing"}))[id]
	check(producer.EndTransaction(s.ctx, kgo.TryCommit))
	return told{
		"open":   []any{described.State, described.Topics.Lookup(s.topic, 0), active.ProducerID == described.ProducerID, active.CurrentTxnStartOffset},
		"listed": listed.State,
	}
}

// Administration

func (s *session) topics() any {
	s.create(s.topic, 2)
	again := must(s.admin.CreateTopics(s.ctx, 1, 1, nil, s.topic))[s.topic]
	bad := must(s.admin.CreateTopics(s.ctx, 1, 1, nil, "not a name"))["not a name"]
	check(must(s.admin.UpdatePartitions(s.ctx, 3, s.topic)).Error())
	fewer := must(s.admin.UpdatePartitions(s.ctx, 1, s.topic))[s.topic]
	seen := func() kadm.TopicDetail { return must(s.admin.ListTopics(s.ctx, s.topic))[s.topic] }
	until(func() bool { return len(seen().Partitions) == 3 })
	before := seen().ID
	check(must(s.admin.DeleteTopics(s.ctx, s.topic)).Error())
	until(func() bool { return name(seen().Err) == "UNKNOWN_TOPIC_OR_PARTITION" })
	s.create(s.topic, 1)
	until(func() bool { return seen().Err == nil && seen().ID != before })
	return told{"again": name(again.Err), "bad": name(bad.Err), "fewer": name(fewer.Err)}
}

func (s *session) configs() any {
	s.create(s.topic, 1)
	config := func(key string) []string {
		resource := must(must(s.admin.DescribeTopicConfigs(s.ctx, s.topic)).On(s.topic, nil))
		for _, each := range resource.Configs {
			if each.Key == key {
				return []string{each.MaybeValue(), each.Source.String()}
			}
		}
		return nil
	}
	first, value := config("retention.ms"), "5000"
	for _, answer := range must(s.admin.AlterTopicConfigs(s.ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: &value}}, s.topic)) {
		check(answer.Err)
	}
	until(func() bool { return config("retention.ms")[0] == "5000" })
	return told{"first": first, "then": config("retention.ms")}
}

func (s *session) groups() any {
	s.create(s.topic, 1)
	member := s.member(s.balancer()...)
	until(func() bool { return len(member.held()) == 1 })
	check(s.admin.CommitAllOffsets(s.ctx, s.name("other"), s.offset(1)))
	busy := must(s.admin.DescribeGroups(s.ctx, s.group))[s.group]
	refused := must(s.admin.DeleteGroups(s.ctx, s.group))[s.group]
	member.close()
	check(s.admin.CommitAllOffsets(s.ctx, s.group, s.offset(0)))
	empty := must(s.admin.DescribeGroups(s.ctx, s.group))[s.group]
	listed := must(s.admin.ListGroups(s.ctx))[s.group]
	lag := must(s.admin.Lag(s.ctx, s.name("other")))[s.name("other")].Lag.Total()
	deleted := must(s.admin.DeleteGroups(s.ctx, s.group))[s.group]
	gone := must(s.admin.DescribeGroups(s.ctx, s.group))[s.group]
	return told{
		"busy":    []any{busy.State, busy.ProtocolType, busy.Protocol, len(busy.Members)},
		"refused": name(refused.Err), "empty": empty.State, "listed": []string{listed.ProtocolType, listed.State},
		"deleted": name(deleted.Err), "gone": []string{gone.State, name(gone.Err)}, "lag": lag,
	}
}

func (s *session) offset(at int64) kadm.Offsets {
	offsets := kadm.Offsets{}
	offsets.AddOffset(s.topic, 0, at, -1)
	return offsets
}

func (s *session) offsets() any {
	s.create(s.topic, 1)
	s.send([]string{"a", "b", "c"})
	at := func(listed kadm.ListedOffsets, err error) int64 {
		check(err)
		offset, _ := listed.Lookup(s.topic, 0)
		check(offset.Err)
		return offset.Offset
	}
	found := told{"start": at(s.admin.ListStartOffsets(s.ctx, s.topic)), "end": at(s.admin.ListEndOffsets(s.ctx, s.topic))}
	found["local start"] = at(s.admin.ListLocalLogStartOffsets(s.ctx, s.topic))
	deleted, _ := must(s.admin.DeleteRecords(s.ctx, s.offset(2))).Lookup(s.topic, 0)
	found["deleted"], found["then start"] = deleted.LowWatermark, at(s.admin.ListStartOffsets(s.ctx, s.topic))
	beyond, _ := must(s.admin.DeleteRecords(s.ctx, s.offset(99))).Lookup(s.topic, 0)
	found["beyond"] = name(beyond.Err)
	epochs := kadm.OffsetForLeaderEpochRequest{}
	epochs.Add(s.topic, 0, 0)
	epoch := must(s.admin.OffsetForLeaderEpoch(s.ctx, epochs))[s.topic][0]
	found["epoch"] = []int64{int64(epoch.LeaderEpoch), epoch.EndOffset}
	return found
}

func (s *session) cluster() any {
	s.create(s.topic, 1)
	metadata := must(s.admin.BrokerMetadata(s.ctx))
	node := metadata.Brokers[0]
	versions := must(s.admin.ApiVersions(s.ctx))[node.NodeID]
	check(versions.Err)
	onDisk := false
	until(func() bool {
		disks := must(s.admin.DescribeBrokerLogDirs(s.ctx, node.NodeID, nil))
		disks.EachPartition(func(p kadm.DescribedLogDirPartition) { onDisk = onDisk || p.Topic == s.topic })
		return onDisk
	})
	return told{
		"node": fmt.Sprintf("%s:%d", node.Host, node.Port), "controlled": metadata.Controller == node.NodeID,
		"guess": versions.VersionGuess(),
	}
}

// What scenarios are made of

func (s *session) name(what string) string { return s.Name + "-" + what }

func (s *session) create(topic string, partitions int32) {
	check(must(s.admin.CreateTopic(s.ctx, partitions, -1, nil, topic)).Err)
	until(func() bool { return must(s.admin.ListTopics(s.ctx, topic))[topic].Err == nil })
}

func (s *session) client(options ...kgo.Opt) *kgo.Client {
	base := []kgo.Opt{
		kgo.SeedBrokers(strings.Split(s.Bootstrap, ",")...), kgo.DefaultProduceTopic(s.topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxWait(100 * time.Millisecond),
	}
	return must(kgo.NewClient(append(base, options...)...))
}

func (s *session) send(values []string, options ...kgo.Opt) {
	producer := s.client(options...)
	defer producer.Close()
	records := []*kgo.Record{}
	for _, value := range values {
		records = append(records, kgo.StringRecord(value))
	}
	check(producer.ProduceSync(s.ctx, records...).FirstErr())
}

// read reads a topic's one partition from its start, without a group.
func (s *session) read(topic string, count int, options ...kgo.Opt) []*kgo.Record {
	start := kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}})
	consumer := s.client(append(options, start)...)
	defer consumer.Close()
	return s.take(consumer, count)
}

func (s *session) take(consumer *kgo.Client, count int) []*kgo.Record {
	ctx, cancel := context.WithTimeout(s.ctx, patience)
	defer cancel()
	got := []*kgo.Record{}
	for len(got) < count {
		fetches := consumer.PollRecords(ctx, count-len(got))
		if err := fetches.Err(); err != nil {
			panic(fmt.Sprintf("%d of %d records came: %v", len(got), count, err))
		}
		got = append(got, fetches.Records()...)
	}
	return got
}

func values(records []*kgo.Record) []string {
	found := []string{}
	for _, record := range records {
		found = append(found, string(record.Value))
	}
	return found
}

func text(bytes []byte) any {
	if bytes == nil {
		return nil
	}
	return string(bytes)
}

// name is Kafka's name for an error; "" for none.
func name(err error) string {
	var known *kerr.Error
	if errors.As(err, &known) {
		return known.Message
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func until(wanted func() bool) {
	for end := time.Now().Add(patience); !wanted(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			panic("this takes too long")
		}
	}
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
