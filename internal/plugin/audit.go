// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

type auditCommand struct {
	env    *Env
	events bool
	top    int
	output string
}

func newAuditCommand(env *Env) *cobra.Command {
	a := &auditCommand{env: env}
	cmd := &cobra.Command{
		Use:   "audit FILE",
		Short: "Name the identity, device and revision behind each certificate in an audit log",
		Long: `Reads an audit log of the API server, one event in JSON on each line, and names whose certificates its requests came with: the API server writes
the fingerprint of each into user.extra. "-" reads the standard input, such as a pipe; the log may be of any size. Two tables say what was done with each certificate, and
who did what how often; with --events each request is a line, as it comes.

A certificate that no identity lists is told by the groups that the CA signed, where it has those of the operator: as re-encoded, with a warning, where
it is one that is listed in another form; else its identity is told, and it has ended, mostly. All others are unknown: the operator did
not issue them, or they ended long ago. Requests with which the operator itself tries what it has issued are left out.`,
		Example: Example(
			"# Who did what",
			"kubectl clientidentity audit /var/log/kubernetes/audit.log",
			"",
			"# What is being done, as it happens",
			"tail -f /var/log/kubernetes/audit.log | kubectl clientidentity audit - --events",
			"",
			"# What is refused, for a program",
			"kubectl clientidentity audit audit.log -o json | jq '.requests[] | select(.code == 403)'",
		),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.run(cmd.Context(), args[0]) },
	}
	cmd.Flags().BoolVar(&a.events, "events", false, "Print each request that came with a certificate, instead of tables.")
	cmd.Flags().IntVar(&a.top, "top", 30, "How many rows a table has at most; 0 means all.")
	cmd.Flags().StringVarP(&a.output, "output", "o", "", `Output format. One of: (json).`)
	// It fails only for a flag that does not exist.
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"json"}, cobra.ShellCompDirectiveNoFileComp))
	return needs(cmd, Rights{Cluster: `
- apiGroups: [clientidentity.dev]
  resources: [clientidentities]
  verbs: [list]
`})
}

func (a *auditCommand) run(ctx context.Context, file string) error {
	if a.output != "" && a.output != "json" {
		return fmt.Errorf("-o %s: it must be json", a.output)
	}
	log, err := a.open(file)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	c, err := a.env.Client()
	if err != nil {
		return err
	}
	all, err := listIdentities(ctx, c)
	if err != nil {
		return err
	}
	tally := newTally(newNames(all))
	read, err := a.read(ctx, log, tally)
	if err != nil {
		return fmt.Errorf("read %s: %w", file, err)
	}
	if !a.events {
		if err := a.print(tally); err != nil {
			return err
		}
	}
	return a.sum(file, read, tally)
}

// open opens the audit log, which is not read yet.
func (a *auditCommand) open(file string) (io.ReadCloser, error) {
	if file == "-" {
		return io.NopCloser(a.env.In), nil
	}
	return os.Open(file) //nolint:gosec // it is what the user names
}

// read reads the log until its end, or until somebody ends it: what was read until then counts.
func (a *auditCommand) read(ctx context.Context, log io.Reader, tally *tallied) (reading, error) {
	type outcome struct {
		reading
		err error
	}
	done := make(chan outcome, 1)
	turn := make(chan struct{}, 1) // whoever holds it may touch the tally
	turn <- struct{}{}
	var soFar reading
	go func() {
		read, err := readAudit(log, func(e *auditEvent) error {
			<-turn
			defer func() { turn <- struct{}{} }()
			soFar.events++
			who, ok := tally.add(e)
			if !ok || !a.events || !e.ended() {
				return nil
			}
			return a.line(e, who)
		})
		done <- outcome{read, err}
	}()
	select {
	case <-ctx.Done():
		<-turn // never given back: the reader waits for the end of the process
		return soFar, nil
	case end := <-done:
		return end.reading, end.err
	}
}

// line prints one request.
func (a *auditCommand) line(e *auditEvent, who named) error {
	if a.output == "json" {
		return a.encode(struct {
			Time        time.Time `json:"time"`
			Fingerprint string    `json:"fingerprint"`
			named
			Username  string `json:"username"`
			Verb      string `json:"verb"`
			Resource  string `json:"resource"`
			Namespace string `json:"namespace,omitempty"`
			Name      string `json:"name,omitempty"`
			Code      int32  `json:"code,omitempty"`
			Source    string `json:"sourceAddress,omitempty"`
		}{e.StageTimestamp, e.fingerprint(), who, e.User.Username, e.Verb, e.what(), e.namespace(), e.name(), e.code(), e.source()})
	}
	object := e.what()
	if e.namespace() != "" {
		object += " -n " + e.namespace()
	}
	if e.name() != "" {
		object += " " + e.name()
	}
	_, err := fmt.Fprintln(a.env.Out, clean(fmt.Sprintf("%s %s %s %s %s %d %s",
		e.StageTimestamp.UTC().Format(time.RFC3339), who.title(e.fingerprint()), e.User.Username, e.Verb, object, e.code(), e.source())))
	return err
}

func (a *auditCommand) encode(value any) error { return json.NewEncoder(a.env.Out).Encode(value) }

// title names a certificate in one word.
func (n named) title(fingerprint string) string {
	short := fmt.Sprintf("%.12s", fingerprint)
	switch n.Known {
	case knownListed, knownReencoded:
		device, mark := "", ""
		if n.Device != "" {
			device = "/" + n.Device
		}
		if n.Known == knownReencoded {
			mark = "!" + short
		}
		return fmt.Sprintf("%s%s#%d%s", n.Identity, device, n.Revision, mark)
	case knownByGroup:
		return n.Identity + "#?" + short
	}
	return "unknown#" + short
}

// print prints the tables.
func (a *auditCommand) print(tally *tallied) error {
	uses, counts := tally.uses(), tally.counts()
	if a.output == "json" {
		return a.encode(struct {
			Credentials []credentialUse `json:"credentials"`
			Requests    []actionCount   `json:"requests"`
		}{uses, counts})
	}
	if len(uses) == 0 {
		return nil
	}
	now := a.env.Clock.Now()
	printer := a.env.Printer()
	var rows [][]Cell
	for i := range uses[:a.rows(len(uses))] {
		u := &uses[i]
		rows = append(rows, Cells(fmt.Sprintf("%.12s", u.Fingerprint), u.identityText(), orNothing(u.Device), u.revisionText(), u.Username,
			strconv.Itoa(u.Requests), strconv.Itoa(u.Refused), Ago(u.First, now), Ago(u.Last, now), orNothing(u.Source)))
	}
	printer.Table([]string{"CERTIFICATE", "IDENTITY", "DEVICE", "REVISION", "USER", "REQUESTS", "REFUSED", "FIRST", "LAST", "FROM"}, rows)
	a.more(len(uses))
	rows = nil
	for i := range counts[:a.rows(len(counts))] {
		c := &counts[i]
		rows = append(rows, Cells(strconv.Itoa(c.Count), c.title(c.Fingerprint), c.Verb, c.Resource, orNothing(c.Namespace), strconv.Itoa(int(c.Code))))
	}
	fmt.Fprintln(a.env.Out)
	printer.Table([]string{"COUNT", "WHO", "VERB", "RESOURCE", "NAMESPACE", "CODE"}, rows)
	a.more(len(counts))
	return nil
}

func (n named) identityText() string {
	if n.Known == knownNot {
		return "unknown"
	}
	return n.Identity
}

func (n named) revisionText() string {
	if n.Revision > 0 {
		return strconv.FormatInt(n.Revision, 10)
	}
	return "-"
}

// rows returns how many of so many rows a table has.
func (a *auditCommand) rows(count int) int {
	if a.top <= 0 {
		return count
	}
	return min(a.top, count)
}

func (a *auditCommand) more(count int) {
	if left := count - a.rows(count); left > 0 {
		fmt.Fprintf(a.env.Out, "... and %d more: see --top\n", left)
	}
}

// sum says what was read, and what was not.
func (a *auditCommand) sum(file string, read reading, tally *tallied) error {
	if read.events == 0 {
		return errors.Join(fmt.Errorf("%s has no audit event: it must have one in JSON on each line, of audit.k8s.io", file), read.complaint())
	}
	unknown, unlisted, reencoded := 0, 0, 0
	for _, use := range tally.credentials {
		switch use.Known {
		case knownReencoded:
			reencoded++
		case knownNot:
			unknown++
		case knownByGroup:
			unlisted++
		}
	}
	fmt.Fprintf(a.env.ErrOut, "%d events, %d certificates: %d of them unknown, %d not listed any more; %d requests came without a certificate, and %d were the operator's proofs\n",
		read.events, len(tally.credentials), unknown, unlisted, tally.without, tally.proofs)
	if reencoded > 0 {
		fmt.Fprintf(a.env.ErrOut, "Warning: %d certificates were used in another encoding than they were issued in (marked with !), which does not happen by accident: take them for leaked\n", reencoded)
	}
	if tally.beyond > 0 {
		fmt.Fprintf(a.env.ErrOut, "%d requests were too many different ones to be counted one by one\n", tally.beyond)
	}
	return read.complaint()
}

// complaint tells of lines that were not understood.
func (r reading) complaint() error {
	if r.unreadable+r.tooLong == 0 {
		return nil
	}
	return fmt.Errorf("%d lines are no audit events, and %d are longer than %d MiB: what they tell is missing", r.unreadable, r.tooLong, maxEvent>>20)
}
