// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/holder"
	"github.com/clientidentity/operator/internal/kubeconfig"
)

const (
	// shortestInvitation is the shortest life of a token that API servers give.
	shortestInvitation = 10 * time.Minute
	// longestInvitation keeps an invitation from being a credential that somebody keeps.
	longestInvitation = 7 * 24 * time.Hour
	// readTries and readPause are for API servers that hear of a new role binding a moment later.
	readTries = 20
	readPause = 250 * time.Millisecond
)

type inviteCommand struct {
	env    *Env
	life   Days
	device string
}

func newInviteCommand(env *Env) *cobra.Command {
	i := &inviteCommand{env: env, life: Days(shortestInvitation)}
	cmd := &cobra.Command{
		Use:   "invite NAME",
		Short: "Print an invitation, with which one device of the holder enrols",
		Long: `Prints an invitation on the standard output, and nothing else there: hand it over like a password. kubectl clientidentity enroll takes it on the
holder's device, makes a key there, and gets a certificate; the key never leaves the device. An invitation is accepted once, within ten
minutes by default. It is for identities with privateKey.source: Holder.

An invitation holds a token of the identity's own ServiceAccount for enrolment: who may create tokens for it may invite. Whoever gets hold of an
invitation before it is accepted becomes the user. Those that are open end where spec.revokeIssuedBefore is raised, and where the identity is withdrawn.`,
		Example: Example(
			"# Invite a device of alice",
			"kubectl clientidentity invite alice",
			"",
			"# Enrol this very computer",
			"kubectl clientidentity invite alice | kubectl clientidentity enroll -",
			"",
			"# For a day, and for a device of that name",
			"kubectl clientidentity invite alice --for 24h --device laptop > invitation",
		),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: env.CompleteIdentity,
		RunE:              func(cmd *cobra.Command, args []string) error { return i.run(cmd.Context(), args[0]) },
	}
	cmd.Flags().Var(&i.life, "for", "How long the invitation can be accepted: 10m, which is the shortest that Kubernetes gives, to 7d.")
	cmd.Flags().StringVar(&i.device, "device", "", "How the device is to be called: a DNS label. The device chooses a name otherwise.")
	return needs(cmd, Rights{
		Cluster: `
- apiGroups: [clientidentity.dev]
  resources: [clientidentities]
  resourceNames: [NAME]
  verbs: [get]
`,
		Namespace: `
- apiGroups: [""]
  resources: [serviceaccounts/token]
  resourceNames: [clientidentity-NAME-enrolment]
  verbs: [create]
`,
	})
}

func (i *inviteCommand) run(ctx context.Context, name string) error {
	life := time.Duration(i.life)
	switch {
	case life < shortestInvitation || life > longestInvitation:
		return fmt.Errorf("--for %s: an invitation can be accepted for 10m to 7d", i.life.String())
	case i.device != "" && holder.ValidDevice(i.device) != "":
		return fmt.Errorf("--device %q: it must be a DNS label, such as laptop: %s", i.device, holder.ValidDevice(i.device))
	}
	connection, err := i.env.Connection()
	if err != nil {
		return err
	}
	c, err := i.env.Client()
	if err != nil {
		return err
	}
	identity, err := Identity(ctx, c, name)
	if err != nil {
		return err
	}
	if err := invitable(identity, i.device, i.env.Clock.Now()); err != nil {
		return err
	}
	token, err := requestToken(ctx, connection, identity, life)
	if err != nil {
		return err
	}
	published, err := readAs(ctx, connection, token.Token, identity)
	if err != nil {
		return err
	}
	invitation, err := assemble(identity, published)
	if err != nil {
		return err
	}
	invitation.Token, invitation.Expires, invitation.Device = token.Token, token.ExpirationTimestamp.Time, i.device
	encoded, err := invitation.Encode()
	if err != nil {
		return err
	}
	fmt.Fprintln(i.env.Out, encoded)
	i.explain(identity, invitation)
	return nil
}

// explain says what to do with an invitation, beside the output.
func (i *inviteCommand) explain(identity *v1alpha1.ClientIdentity, invitation holder.Invitation) {
	device := ""
	if i.device != "" {
		device = " as " + i.device
	}
	fmt.Fprintf(i.env.ErrOut, `An invitation for user %s, which one device%s can accept once, until %s.
Hand it over like a password: whoever accepts it first is that user. On the device:

  kubectl clientidentity enroll INVITATION

That it was accepted, and by which device: kubectl clientidentity status %s
`, clean(identity.Spec.Username), device, At(invitation.Expires, i.env.Clock.Now()), identity.Name)
}

// invitable returns why nobody can be invited; device is the name that a device is to have, if any.
func invitable(identity *v1alpha1.ClientIdentity, device string, now time.Time) error {
	name := identity.Name
	if ending := access.End(identity, now); ending != nil {
		return fmt.Errorf("ClientIdentity %q has no access, and no device can enrol: %s", name, ending.Message)
	}
	if identity.Spec.PrivateKey.Source != v1alpha1.SourceHolder {
		return fmt.Errorf("ClientIdentity %q is not for holders who make their own keys: the operator makes its key. Its kubeconfig, key included: kubectl clientidentity kubeconfig %s. "+
			"To let holders make the keys, set spec.privateKey.source to Holder, which removes the key from the Secret", name, name)
	}
	if identity.Status.EnrolmentRef == nil || identity.Status.SecretRef == nil || !seen(identity) {
		return fmt.Errorf("ClientIdentity %q is not ready for devices to enrol: %s", name, inTheWay(identity))
	}
	inUse := 0
	for i := range identity.Status.Devices {
		d := &identity.Status.Devices[i]
		if !holder.InUse(identity, &identity.Status, d, now) {
			continue
		}
		if inUse++; d.Name == device {
			return fmt.Errorf("device %q of ClientIdentity %q has a valid certificate: choose another name, or revoke it first (kubectl clientidentity revoke %s --device %s)", device, name, name, device)
		}
	}
	if most := int(ptr.Deref(identity.Spec.MaxDevices, holder.DefaultMaxDevices)); inUse >= most {
		return fmt.Errorf("ClientIdentity %q has %d devices, and spec.maxDevices is %d: revoke one, or raise it", name, inUse, most)
	}
	return nil
}

// requestToken asks for a token of the ServiceAccount of an identity's enrolment.
func requestToken(ctx context.Context, connection *rest.Config, identity *v1alpha1.ClientIdentity, life time.Duration) (authenticationv1.TokenRequestStatus, error) {
	none := authenticationv1.TokenRequestStatus{}
	ref := identity.Status.EnrolmentRef
	clients, err := kubernetes.NewForConfig(connection)
	if err != nil {
		return none, err
	}
	// A ServiceAccount of that name that is another one by now is refused: the token would be no invitation.
	request := &authenticationv1.TokenRequest{
		ObjectMeta: metav1.ObjectMeta{Name: ref.Name, Namespace: ref.Namespace, UID: ref.UID},
		Spec:       authenticationv1.TokenRequestSpec{ExpirationSeconds: ptr.To(int64(life / time.Second))},
	}
	made, err := clients.CoreV1().ServiceAccounts(ref.Namespace).CreateToken(ctx, ref.Name, request, metav1.CreateOptions{})
	switch {
	case apierrors.IsConflict(err), apierrors.IsNotFound(err):
		return none, fmt.Errorf("ServiceAccount %s/%s is being made anew, which ends open invitations: try again in a moment: %w", ref.Namespace, ref.Name, err)
	case err != nil:
		return none, fmt.Errorf("create a token for ServiceAccount %s/%s: %w", ref.Namespace, ref.Name, err)
	}
	return made.Status, nil
}

// readAs reads the published Secret with the token: as the device will, and with no right of whoever invites.
func readAs(ctx context.Context, connection *rest.Config, token string, identity *v1alpha1.ClientIdentity) (*corev1.Secret, error) {
	invited := rest.AnonymousClientConfig(connection)
	invited.BearerToken = token
	clients, err := kubernetes.NewForConfig(invited)
	if err != nil {
		return nil, err
	}
	ref := identity.Status.SecretRef
	for try := 1; ; try++ {
		secret, err := clients.CoreV1().Secrets(ref.Namespace).Get(ctx, ref.Name, metav1.GetOptions{})
		switch {
		case err == nil:
			return secret, nil
		case !apierrors.IsForbidden(err) || try == readTries:
			// What is missing here is nothing that whoever invites lacks: Explain is not to suggest that.
			return nil, fmt.Errorf("read Secret %s/%s with the invitation: %v: see kubectl clientidentity status %s", ref.Namespace, ref.Name, err, identity.Name) //nolint:errorlint // on purpose
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(readPause):
		}
	}
}

// assemble makes an invitation of what is published, but for the token; pure.
func assemble(identity *v1alpha1.ClientIdentity, secret *corev1.Secret) (holder.Invitation, error) {
	where := fmt.Sprintf("Secret %s/%s", secret.Namespace, secret.Name)
	if controller := metav1.GetControllerOf(secret); controller == nil || controller.UID != identity.UID {
		return holder.Invitation{}, fmt.Errorf("%s is not of ClientIdentity %q: see kubectl clientidentity status %s", where, identity.Name, identity.Name)
	}
	parameters, err := holder.ParseParameters(secret.Data[v1alpha1.RequestKey])
	if err != nil {
		return holder.Invitation{}, fmt.Errorf("%s: %w", where, err)
	}
	settings, name, uid, err := kubeconfig.ReadExec(secret.Data[identity.Spec.Secret.KubeconfigKey])
	switch {
	case err != nil:
		return holder.Invitation{}, fmt.Errorf("%s: %w", where, err)
	case !slices.Equal([]string{name, uid, parameters.Identity, string(parameters.UID)}, []string{identity.Name, string(identity.UID), identity.Name, string(identity.UID)}):
		return holder.Invitation{}, fmt.Errorf("%s is about another identity than %q: try again in a moment", where, identity.Name)
	}
	return holder.Invitation{Kubeconfig: settings, Secret: client.ObjectKeyFromObject(secret), Parameters: parameters}, nil
}
