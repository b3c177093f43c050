// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Command consumers reads a published Secret (JSON, from its input) as Argo CD, Cluster API or Flux does, with the code of
// that project, and prints the user name that its connection has at the API server. It is a module of its own, since these
// projects want other versions of Kubernetes' libraries than the operator.
//
//	consumers argocd|clusterapi|flux < secret.json
//
// With the argument manifests it reads an object of Argo CD or Flux, and fails where that project does not know a field.
//
//	consumers manifests < application.json
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	argocd "github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	fluxmeta "github.com/fluxcd/pkg/apis/meta"
	flux "github.com/fluxcd/pkg/runtime/client"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	capikubeconfig "sigs.k8s.io/cluster-api/util/kubeconfig"
	capisecret "sigs.k8s.io/cluster-api/util/secret"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

func main() {
	user, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "consumers:", err)
		os.Exit(1)
	}
	fmt.Println(user)
}

func run(args []string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if len(args) == 1 && args[0] == "manifests" {
		return checkManifest()
	}
	secret := &corev1.Secret{}
	// What the decoder says may quote the Secret.
	if json.NewDecoder(os.Stdin).Decode(secret) != nil || len(args) != 1 {
		return "", errors.New("usage: consumers argocd|clusterapi|flux < secret.json")
	}
	switch args[0] {
	case "argocd":
		return argoCD(ctx, secret)
	case "clusterapi":
		return clusterAPI(ctx, secret)
	case "flux":
		return fluxCD(ctx, secret)
	}
	return "", fmt.Errorf("there is no consumer %q", args[0])
}

// checkManifest decodes an object as the project does whose it is.
func checkManifest() (string, error) {
	content, err := io.ReadAll(os.Stdin)
	if err != nil {
		return "", err
	}
	var about metav1.TypeMeta
	if err := json.Unmarshal(content, &about); err != nil {
		return "", err
	}
	known := map[string]any{
		"argoproj.io/v1alpha1 AppProject":              &argocd.AppProject{},
		"argoproj.io/v1alpha1 Application":             &argocd.Application{},
		"kustomize.toolkit.fluxcd.io/v1 Kustomization": &kustomizev1.Kustomization{},
		"source.toolkit.fluxcd.io/v1 GitRepository":    &sourcev1.GitRepository{},
	}
	kind := about.APIVersion + " " + about.Kind
	object, ok := known[kind]
	if !ok {
		return "", fmt.Errorf("nobody reads %s", kind)
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	return kind, decoder.Decode(object)
}

// argoCD connects as Argo CD does to the cluster that a Secret with its label describes.
func argoCD(ctx context.Context, secret *corev1.Secret) (string, error) {
	if secret.Labels["argocd.argoproj.io/secret-type"] != "cluster" || secret.Type != corev1.SecretTypeOpaque {
		return "", errors.New("it is no Secret of a cluster")
	}
	cluster := &argocd.Cluster{Server: string(secret.Data["server"]), Name: string(secret.Data["name"])}
	if json.Unmarshal(secret.Data["config"], &cluster.Config) != nil {
		return "", errors.New("config is no cluster config")
	}
	if cluster.Name == "" {
		return "", errors.New("the cluster has no name")
	}
	config, err := cluster.RESTConfig()
	if err != nil {
		return "", errors.New("Argo CD makes no connection of the Secret")
	}
	return whoAmI(ctx, config)
}

// clusterAPI connects as Cluster API does to the cluster that the Secret is named after.
func clusterAPI(ctx context.Context, secret *corev1.Secret) (string, error) {
	name, purpose, err := capisecret.ParseSecretName(secret.Name)
	if err != nil || purpose != capisecret.Kubeconfig || secret.Labels["cluster.x-k8s.io/cluster-name"] != name || secret.Type != "cluster.x-k8s.io/secret" {
		return "", errors.New("it is no kubeconfig Secret of a cluster")
	}
	kubeconfig, err := capikubeconfig.FromSecret(ctx, holding(secret), client.ObjectKey{Namespace: secret.Namespace, Name: name})
	if err != nil {
		return "", errors.New("Cluster API finds no kubeconfig")
	}
	config, err := clientcmd.RESTConfigFromKubeConfig(kubeconfig)
	if err != nil {
		return "", errors.New("it is no kubeconfig")
	}
	return whoAmI(ctx, config)
}

// fluxCD connects as Flux's controllers do with spec.kubeConfig.secretRef, without a key.
func fluxCD(ctx context.Context, secret *corev1.Secret) (string, error) {
	reference := &fluxmeta.KubeConfigReference{SecretRef: fluxmeta.SecretKeyReference{Name: secret.Name}}
	impersonator := flux.NewImpersonator(holding(secret),
		flux.WithScheme(scheme.Scheme), flux.WithKubeConfig(reference, flux.KubeConfigOptions{}, secret.Namespace))
	remote, _, err := impersonator.GetClient(ctx)
	if err != nil {
		return "", errors.New("Flux makes no client of the Secret")
	}
	review := &authenticationv1.SelfSubjectReview{}
	if err := remote.Create(ctx, review); err != nil {
		return "", err
	}
	return review.Status.UserInfo.Username, nil
}

// holding returns a client of a cluster that holds the Secret.
func holding(secret *corev1.Secret) client.Client {
	return fake.NewClientBuilder().WithScheme(scheme.Scheme).WithObjects(secret).Build()
}

func whoAmI(ctx context.Context, config *rest.Config) (string, error) {
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return "", err
	}
	review, err := clients.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	return review.Status.UserInfo.Username, nil
}
