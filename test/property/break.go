// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package property

import (
	"context"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/faults"
	"github.com/clientidentity/operator/test/operator"
)

// answers are what may become of a write.
var answers = []faults.Answer{
	{Code: http.StatusForbidden}, {Code: http.StatusUnprocessableEntity}, {Code: http.StatusInternalServerError}, {Code: http.StatusConflict},
	{Code: http.StatusNotFound}, {Code: http.StatusTooManyRequests}, {Drop: true},
	{Delay: 50 * time.Millisecond}, {Delay: time.Second}, {Delay: time.Second, Drop: true},
}

// breakThings breaks one thing after the other until the context ends.
func (r *run) breakThings(ctx context.Context) error {
	whole := context.WithoutCancel(ctx)
	for ctx.Err() == nil {
		r.admission.Answer(r.fault())
		if r.world.IntN(3) == 0 {
			r.loseAnswers()
		}
		var err error
		switch r.world.IntN(8) {
		case 0, 1:
			r.killOperator(ctx)
		case 2:
			err = r.tamper(whole)
		case 3:
			r.count("restarts with labels lost")
			r.process.kill()
			err = r.tamper(whole)
		case 4:
			r.count("signer stops")
			err = r.ControlPlane.StopComponent(controlplane.ControllerManager)
		}
		if err != nil {
			return err
		}
		_ = pause(ctx, time.Duration(200+r.world.IntN(2000))*time.Millisecond)
		if err := r.process.start(whole); err != nil {
			return err
		}
	}
	return nil
}

// fault draws a rule for the operator's writes: those of some objects, some operations, and some of the time.
func (r *run) fault() faults.Rule {
	answer := answers[r.world.IntN(len(answers))]
	salt, share, likely := r.world.Uint32(), r.world.IntN(4)+1, r.world.IntN(3)*40+20
	operations := []admissionv1.Operation{admissionv1.Create, admissionv1.Update, admissionv1.Delete}
	spared := operations[r.world.IntN(3)]
	spares := r.world.IntN(3) > 0
	var mu sync.Mutex
	dice := rand.New(rand.NewPCG(r.world.Uint64(), 0))
	return func(request *admissionv1.AdmissionRequest) faults.Answer {
		if request.UserInfo.Username != operator.Username || (spares && request.Operation == spared) {
			return faults.Answer{}
		}
		object := fnv.New32a()
		_, _ = object.Write([]byte(request.Resource.Resource + "/" + request.Namespace + "/" + request.Name))
		if int((object.Sum32()^salt)%4) >= share {
			return faults.Answer{}
		}
		mu.Lock()
		defer mu.Unlock()
		if dice.IntN(100) >= likely {
			return faults.Answer{}
		}
		r.count("writes disturbed")
		return answer
	}
}

// loseAnswers keeps from the operator what became of some of its writes.
func (r *run) loseAnswers() {
	var mu sync.Mutex
	dice := rand.New(rand.NewPCG(r.world.Uint64(), 0))
	r.process.transport.Lose(func() bool {
		mu.Lock()
		defer mu.Unlock()
		if dice.IntN(6) > 0 {
			return false
		}
		r.count("answers lost")
		return true
	})
}

// killOperator kills the operator at one of its next writes.
func (r *run) killOperator(ctx context.Context) {
	r.process.transport.KillAfter(1 + r.world.IntN(8))
	select {
	case <-r.process.transport.Died():
		r.count("kills at a write")
	case <-time.After(time.Second):
		r.count("kills")
	case <-ctx.Done():
	}
	r.process.kill()
}

// heldBy is a finalizer of somebody else.
const heldBy = "property.test/held"

// tamper takes the labels off some bindings, and puts a finalizer on some.
func (r *run) tamper(ctx context.Context) error {
	return r.eachBinding(ctx, func(binding client.Object, _ []rbacv1.Subject) error {
		var patch string
		switch {
		case binding.GetLabels()[v1alpha1.IdentityLabel] == "":
			return nil
		case r.world.IntN(4) == 0:
			r.count("labels stripped")
			patch = `{"metadata":{"labels":null}}`
		case r.world.IntN(8) == 0:
			r.count("finalizers added")
			patch = `{"metadata":{"finalizers":["` + heldBy + `"]}}`
		default:
			return nil
		}
		return client.IgnoreNotFound(r.admin.Patch(ctx, binding, client.RawPatch(types.MergePatchType, []byte(patch))))
	})
}

// mend ends all that breakThings does.
func (r *run) mend(ctx context.Context) error {
	r.admission.Answer(faults.Always(faults.Answer{}))
	if err := r.process.start(ctx); err != nil {
		return err
	}
	r.process.transport.Lose(nil)
	if err := r.ControlPlane.StartComponent(ctx, controlplane.ControllerManager); err != nil {
		return err
	}
	return r.eachBinding(ctx, func(binding client.Object, _ []rbacv1.Subject) error {
		if len(binding.GetFinalizers()) == 0 {
			return nil
		}
		return client.IgnoreNotFound(r.admin.Patch(ctx, binding, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`))))
	})
}

// eachBinding visits all bindings of the cluster, as they are now.
func (r *run) eachBinding(ctx context.Context, visit func(client.Object, []rbacv1.Subject) error) error {
	var roleBindings rbacv1.RoleBindingList
	if err := r.admin.List(ctx, &roleBindings); err != nil {
		return err
	}
	for i := range roleBindings.Items {
		if err := visit(&roleBindings.Items[i], roleBindings.Items[i].Subjects); err != nil {
			return err
		}
	}
	var clusterRoleBindings rbacv1.ClusterRoleBindingList
	if err := r.admin.List(ctx, &clusterRoleBindings); err != nil {
		return err
	}
	for i := range clusterRoleBindings.Items {
		if err := visit(&clusterRoleBindings.Items[i], clusterRoleBindings.Items[i].Subjects); err != nil {
			return err
		}
	}
	return nil
}
