// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/holder"
	"github.com/clientidentity/operator/internal/kubeconfig"
	"github.com/clientidentity/operator/internal/machine"
)

const (
	// maxInput bounds, in bytes, an invitation that is read.
	maxInput = 2 << 20
	// invitationBegins is what tells an invitation from the name of a file.
	invitationBegins = "clientidentity-invitation-"
)

// enrollCommand makes this machine a device.
type enrollCommand struct {
	env              *Env
	merging          merging
	identity, device string
	replace          bool
	timeout          time.Duration
}

func newEnrollCommand(env *Env) *cobra.Command {
	e := &enrollCommand{env: env}
	cmd := &cobra.Command{
		Use:   "enroll [INVITATION | FILE | -]",
		Short: "Make this machine a device of an identity, with a key that never leaves it",
		Long: `Makes a private key on this machine, asks for a certificate with an invitation, tries it, and writes a kubeconfig, which renews the
certificate by itself from then on. The key stays in a file that only its owner can read.

The invitation (kubectl clientidentity invite) is an argument, a file, or - for the standard input, which keeps it out of the list of processes. The
context goes into the kubeconfig that kubectl would write to; everything else in it stays. An enrolment that was interrupted goes on with the same key and
request: run enroll again, without an argument or with another invitation, which is not used up then.

With --identity an administrator enrols the machine with the permissions of his own kubeconfig: get of the ClientIdentity and of its Secret, create and get
certificatesigningrequests, and to impersonate the user and each of its groups, with bindTo: Credential the credential group among
them. An invitation takes no permission but its own.`,
		Example: Example(
			"# Enrol this machine, with an invitation from the clipboard or a pipe",
			"kubectl clientidentity enroll -",
			"",
			"# With an invitation in a file, under another name than that of the machine",
			"kubectl clientidentity enroll invitation.txt --device lea-desktop",
			"",
			"# Go on where it was interrupted",
			"kubectl clientidentity enroll",
			"",
			"# As an administrator, without an invitation",
			"kubectl clientidentity enroll --identity alice --merge-into alice.kubeconfig"),
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return e.run(cmd.Context(), args) },
	}
	cmd.Flags().StringVar(&e.identity, "identity", "", "Name of the identity, for an administrator: no invitation is needed.")
	cmd.Flags().StringVar(&e.device, "device", "", "Name of this device: a DNS label. By default that of the invitation, or of the machine, with -2 and so on where it is taken.")
	cmd.Flags().BoolVar(&e.replace, "replace", false, "Enrol a machine again that has a valid certificate: it was suspended or revoked, say.")
	cmd.Flags().DurationVar(&e.timeout, "timeout", 5*time.Minute, "How long to wait for the certificate.")
	e.merging.addTo(cmd, "By default the one that kubectl would write to.")
	return cmd
}

func (e *enrollCommand) run(ctx context.Context, args []string) error {
	if e.device != "" && holder.ValidDevice(e.device) != "" {
		return fmt.Errorf("--device %q: it must be a DNS label, such as laptop: %s", e.device, holder.ValidDevice(e.device))
	}
	m := e.env.machine()
	order, err := e.order(ctx, m, args)
	if err != nil {
		return err
	}
	order.Patience, order.Replace = e.timeout, e.replace
	order.Progress = func(message string) { fmt.Fprintln(e.env.ErrOut, clean(message)) }
	if e.merging.contextName != "" {
		order.Cluster.ContextName = e.merging.contextName
	}
	// What would keep the kubeconfig from being written is told before anything is asked for.
	user := kubeconfig.ExecUser(order.Parameters.Identity, string(order.Parameters.UID))
	if err := e.merging.check(e.env, order.Cluster, user); err != nil {
		return err
	}
	record, err := m.Enrol(ctx, order)
	if err != nil {
		return err
	}
	if e.merging.contextName != "" {
		record.Cluster.ContextName = e.merging.contextName
	}
	path, err := e.merging.write(e.env, record.Cluster, user)
	if err != nil {
		return fmt.Errorf("this machine is enrolled, and its kubeconfig could not be written, run enroll again for that: %w", err)
	}
	if err := m.Written(ctx, record); err != nil {
		return err
	}
	return e.tell(record, path)
}

// tell says what there is now.
func (e *enrollCommand) tell(record *machine.Record, path string) error {
	life, err := record.Life()
	if err != nil {
		return err
	}
	now := e.env.Clock.Now()
	renews := "It is not renewed: access ends with it"
	if !life.RenewalTime.IsZero() {
		renews = "It renews by itself, with the first use after " + At(life.RenewalTime, now)
	}
	fmt.Fprintf(e.env.Out, `This machine is device %q of %s, user %s.
The certificate is valid until %s. %s.

  kubectl --kubeconfig %s --context %s auth whoami
`, record.Device, record.Identity, clean(record.Parameters.Username), At(life.NotAfter, now), renews, quote(path), quote(record.Cluster.ContextName))
	return nil
}

// order finds out what to enrol for, and who is entitled.
func (e *enrollCommand) order(ctx context.Context, m *machine.Device, args []string) (machine.Order, error) {
	switch {
	case e.identity != "" && len(args) > 0:
		return machine.Order{}, errors.New("give an invitation, or --identity for an administrator, and not both")
	case e.identity != "":
		return e.asAdministrator(ctx)
	case len(args) == 0:
		return e.begun(ctx, m)
	}
	text, err := e.read(ctx, args[0])
	if err != nil {
		return machine.Order{}, err
	}
	return e.withInvitation(text)
}

// read returns an invitation.
func (e *enrollCommand) read(ctx context.Context, arg string) (string, error) {
	switch {
	case arg == "-":
		data, err := readSecret(ctx, e.env, "Paste the invitation (it is not shown): ")
		if err != nil {
			return "", fmt.Errorf("read the invitation: %w", err)
		}
		return string(data), nil
	case strings.HasPrefix(strings.TrimSpace(arg), invitationBegins):
		return arg, nil
	}
	data, err := machine.OSFiles{}.Read(arg, maxInput)
	if errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("this is no invitation, which begins with %s, and no file", invitationBegins)
	} else if err != nil {
		return "", fmt.Errorf("read the invitation: %w", err)
	}
	return string(data), nil
}

// begun goes on with the one enrolment that was begun on this machine.
func (e *enrollCommand) begun(ctx context.Context, m *machine.Device) (machine.Order, error) {
	records, err := m.Store.Begun()
	switch {
	case err != nil:
		return machine.Order{}, err
	case len(records) == 0:
		return machine.Order{}, errors.New("give an invitation: whoever may prints one with kubectl clientidentity invite NAME. (No enrolment was begun on this machine.)")
	case len(records) > 1:
		return machine.Order{}, errors.New("several enrolments were begun on this machine: give the invitation again, or --identity")
	}
	record := records[0]
	switch begun := record.Enrolment; {
	case begun == nil: // all but the kubeconfig
		return machine.Order{Parameters: record.Parameters, Cluster: record.Cluster, Secret: record.Secret}, nil
	case begun.Invitation == "":
		e.identity = record.Identity
		return e.asAdministrator(ctx)
	default:
		return e.withInvitation(begun.Invitation)
	}
}

// withInvitation asks with the token of an invitation.
func (e *enrollCommand) withInvitation(text string) (machine.Order, error) {
	invitation, err := holder.ParseInvitation(text)
	if err != nil {
		return machine.Order{}, err
	}
	api, err := machine.Dial(machine.TargetOf(invitation.Kubeconfig), machine.Login{Token: invitation.Token})
	if err != nil {
		return machine.Order{}, err
	}
	order := machine.Order{
		Parameters: invitation.Parameters, Cluster: invitation.Kubeconfig, API: api, Invitation: text,
		Secret: machine.Place{Namespace: invitation.Secret.Namespace, Name: invitation.Secret.Name},
	}
	order.Device, order.Fixed = e.name(invitation.Device)
	e.merging.pinned = true
	return order, nil
}

// asAdministrator asks as whoever calls.
func (e *enrollCommand) asAdministrator(ctx context.Context) (machine.Order, error) {
	connection, err := e.env.Connection()
	if err != nil {
		return machine.Order{}, err
	}
	api, err := machine.Over(connection)
	if err != nil {
		return machine.Order{}, err
	}
	c, err := e.env.Client()
	if err != nil {
		return machine.Order{}, err
	}
	identity, err := Identity(ctx, c, e.identity)
	if err != nil {
		return machine.Order{}, err
	}
	if identity.Spec.PrivateKey.Source != v1alpha1.SourceHolder {
		return machine.Order{}, fmt.Errorf("the operator makes the keys of ClientIdentity %q (privateKey.source): see kubectl clientidentity kubeconfig %s", identity.Name, identity.Name)
	}
	secret, err := published(ctx, c, identity)
	if err != nil {
		return machine.Order{}, err
	}
	cluster, _, uid, err := kubeconfig.ReadExec(secret.Data[identity.Spec.Secret.KubeconfigKey])
	if err != nil {
		return machine.Order{}, fmt.Errorf("read Secret %s/%s: %w", secret.Namespace, secret.Name, err)
	}
	parameters, err := holder.ParseParameters(secret.Data[v1alpha1.RequestKey])
	if err != nil {
		return machine.Order{}, fmt.Errorf("read Secret %s/%s: %w", secret.Namespace, secret.Name, err)
	}
	if uid != string(identity.UID) || parameters.UID != identity.UID {
		return machine.Order{}, fmt.Errorf("what Secret %s/%s has is of another ClientIdentity of that name: wait until the operator has replaced it", secret.Namespace, secret.Name)
	}
	order := machine.Order{Parameters: parameters, Cluster: cluster, Secret: machine.Place{Namespace: secret.Namespace, Name: secret.Name}, API: api}
	order.Device, order.Fixed = e.name("")
	return order, nil
}

// name returns the name of this device, and whether it is to have that and no other.
func (e *enrollCommand) name(invited string) (name string, fixed bool) {
	switch {
	case e.device != "":
		return e.device, true
	case invited != "":
		return invited, true
	}
	host, err := os.Hostname()
	if err != nil {
		host = ""
	}
	return machine.NameOf(host), false
}

// published returns the Secret of an identity, which its status names.
func published(ctx context.Context, c client.Client, identity *v1alpha1.ClientIdentity) (*corev1.Secret, error) {
	ref := identity.Status.SecretRef
	if ref == nil {
		return nil, fmt.Errorf("nothing is published for ClientIdentity %q: see kubectl clientidentity status %s", identity.Name, identity.Name)
	}
	secret := &corev1.Secret{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, secret); err != nil {
		return nil, fmt.Errorf("read Secret %s/%s: %w", ref.Namespace, ref.Name, err)
	}
	return secret, nil
}
